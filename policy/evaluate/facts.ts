import { unmapped } from './address.ts';
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
  /** As sent. */
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
    ip: unmapped(source.ip),
    remoteIp: source.remoteIp ?? unmapped(source.ip),
    destinationIp: unmapped(destination.ip),
    port: destination.port,
    // Envoy keeps it in lower case, whatever the client wrote.
    sni: destination.sni?.toLowerCase(),
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
      return one(pathAndQuery(facts));
    default:
      return facts.headers.get(name);
  }
}

/** The path as it reaches the filters: normalised, with its query, without a fragment. */
function pathAndQuery({ path, rawPath = '' }: Facts): string | undefined {
  const whole = rawPath.split('#', 1)[0] ?? '';
  const query = whole.indexOf('?');
  return path === undefined || query < 0 ? path : path + whole.slice(query);
}

function one(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}
