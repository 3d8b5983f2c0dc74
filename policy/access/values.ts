import type { Labels } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Request, Token } from '../evaluate/request.ts';

/**
 * What of a request a condition looks at. `caller` and `port` are there always; others when a policy asks for them:
 * `method`, `host`, `path`, `token` (issuer and subject), and keys as in `when`, such as `source.ip` and `request.headers[x]`;
 * `extAuthz[NAME]` is what an external authorizer answers.
 */
export type DimensionKey = string;

/** A dimension's value in one request: the lines of a header, issuer and subject of a token. Undefined: absent. */
export type Value = readonly string[] | undefined;

export interface Target {
  readonly namespace: string;
  readonly labels: Labels;
  readonly port?: Port;
  readonly protocol: 'HTTP' | 'TCP';
}

const OF_HTTP = /^(method|host|path|token|request\..*)$/;

/** True when a TCP connection has nothing of the kind. */
export function isOfHttp(key: DimensionKey): boolean {
  return OF_HTTP.test(key);
}

const OF_TOKEN = /^(token|request\.auth\..*)$/;

export function isOfToken(key: DimensionKey): boolean {
  return OF_TOKEN.test(key);
}

/** The parts of `request.headers[x]` and `request.auth.claims[a][b]`. */
export function bracketed(key: DimensionKey, name: string): readonly string[] | undefined {
  return key.startsWith(`${name}[`) && key.endsWith(']') ? key.slice(name.length + 1, -1).split('][') : undefined;
}

function nested(path: readonly string[], value: readonly string[], into: Record<string, unknown>): void {
  const [name = '', ...rest] = path;
  if (rest.length === 0) {
    into[name] = value.length === 1 ? value[0] : [...value];
    return;
  }
  const below = into[name];
  const inner: Record<string, unknown> = typeof below === 'object' && below !== null && !Array.isArray(below) ? { ...below } : {};
  nested(rest, value, inner);
  into[name] = inner;
}

function tokenOf(values: ReadonlyMap<DimensionKey, Value>): Token | undefined {
  const given = [...values].filter(([key, value]) => value !== undefined && isOfToken(key));
  if (given.length === 0) return undefined;
  const [issuer, subject] = values.get('token') ?? [];
  const [presenter] = values.get('request.auth.presenter') ?? [];
  const audiences = values.get('request.auth.audiences') ?? [];
  const claims: Record<string, unknown> = {
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(subject === undefined ? {} : { sub: subject }),
    ...(presenter === undefined ? {} : { azp: presenter }),
    ...(audiences.length === 0 ? {} : { aud: [...audiences] }),
  };
  for (const [key, value] of given) {
    const path = bracketed(key, 'request.auth.claims');
    if (path !== undefined && value !== undefined) nested(path, value, claims);
  }
  return { issuer, subject, audiences, presenter, claims };
}

/** The request that has these values and nothing else. */
export function requestOf(values: ReadonlyMap<DimensionKey, Value>, target: Target): Request {
  const one = (key: DimensionKey): string | undefined => values.get(key)?.[0];
  const headers = new Map<string, readonly string[]>();
  for (const [key, value] of values) {
    const name = bracketed(key, 'request.headers')?.[0];
    if (name !== undefined && value !== undefined) headers.set(name, value);
  }
  const caller = one('caller');
  const answers = new Map<string, 'allow' | 'deny'>();
  for (const [key, value] of values) {
    const name = bracketed(key, 'extAuthz')?.[0];
    if (name !== undefined) answers.set(name, value?.[0] === 'allow' ? 'allow' : 'deny');
  }
  const http = target.protocol === 'HTTP';
  return {
    source: {
      principal: caller === undefined ? undefined : `spiffe://${caller}`,
      ip: one('source.ip'),
      remoteIp: one('remote.ip'),
    },
    destination: { ...target, port: target.port, ip: one('destination.ip'), sni: one('connection.sni') },
    http: http
      ? { method: one('method'), host: one('host'), path: one('path'), headers }
      : { method: undefined, host: undefined, path: undefined, headers: new Map() },
    token: http ? tokenOf(values) : undefined,
    ...(answers.size === 0 ? {} : { extAuthz: answers }),
  };
}
