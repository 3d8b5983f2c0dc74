import { normalizedPath } from './path.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Request, Token } from './request.ts';

const SCHEME = 'spiffe://';

/** A request as the deciding proxy sees it. */
export interface Facts {
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
  /** As it reaches the filters: not yet normalised, with its query. */
  readonly rawPath: string | undefined;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly token: Token | undefined;
}

/**
 * @param encrypted false when the port takes no TLS: then nobody is authenticated
 * @param token what request authentication made of the request's tokens
 */
export function factsOf(request: Request, meshConfig: MeshConfig, encrypted: boolean, token: Token | undefined): Facts {
  const { source, destination, http } = request;
  const principal = encrypted ? source.principal : undefined;
  const { path, headers } = http;
  return {
    http: destination.protocol !== 'TCP',
    peer: principal?.startsWith(SCHEME) === true ? principal.slice(SCHEME.length) : undefined,
    ip: source.ip,
    remoteIp: source.remoteIp ?? source.ip,
    destinationIp: destination.ip,
    port: destination.port,
    sni: destination.sni,
    method: http.method,
    host: http.host ?? (headers.get('host') ?? headers.get(':authority'))?.[0],
    path: path === undefined ? undefined : normalizedPath(path, meshConfig.pathNormalization),
    rawPath: path,
    headers,
    token,
  };
}

/** The lines of a header; `:authority` is the Host, however that was sent. */
export function linesOf(facts: Facts, name: string): readonly string[] | undefined {
  switch (name) {
    case ':authority':
    case 'host':
      return one(facts.host);
    case ':method':
      return one(facts.method);
    case ':path':
      return one(facts.rawPath);
    default:
      return facts.headers.get(name);
  }
}

function one(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}
