import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { normalizedPath } from './path.ts';
import type { Request, Token } from './request.ts';

const SCHEME = 'spiffe://';

/** A request as the deciding proxy sees it. */
export interface Facts {
  readonly meshConfig: MeshConfig;
  /** False on a TCP port: nothing of HTTP can be seen. */
  readonly http: boolean;
  /** The authenticated peer's SPIFFE ID without its scheme. */
  readonly peer: string | undefined;
  readonly ip: string | undefined;
  readonly remoteIp: string | undefined;
  readonly destinationIp: string | undefined;
  readonly port: number | undefined;
  readonly sni: string | undefined;
  readonly method: string | undefined;
  readonly host: string | undefined;
  /** Normalised, without its query. */
  readonly path: string | undefined;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly token: Token | undefined;
}

/** @param encrypted false when the port takes no TLS: then nobody is authenticated */
export function factsOf(request: Request, meshConfig: MeshConfig, encrypted: boolean): Facts {
  const { source, destination, http } = request;
  const principal = encrypted ? source.principal : undefined;
  const headers = new Map(http.headers);
  const [named] = headers.get('host') ?? headers.get(':authority') ?? [];
  const host = http.host ?? named;
  headers.delete('host');
  for (const [name, value] of [
    [':authority', host],
    [':method', http.method],
    [':path', http.path],
  ] as const) {
    if (value !== undefined) headers.set(name, [value]);
  }
  return {
    meshConfig,
    http: destination.protocol !== 'TCP',
    peer: principal?.startsWith(SCHEME) === true ? principal.slice(SCHEME.length) : undefined,
    ip: source.ip,
    remoteIp: source.remoteIp ?? source.ip,
    destinationIp: destination.ip,
    port: destination.port,
    sni: destination.sni,
    method: http.method,
    host,
    path: http.path === undefined ? undefined : normalizedPath(http.path, meshConfig.pathNormalization),
    headers,
    token: request.token,
  };
}
