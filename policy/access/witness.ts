import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type Verdict, evaluate } from '../evaluate/evaluate.ts';
import type { Request } from '../evaluate/request.ts';
import { type Box, has } from './box.ts';
import type { Dimension } from './dimension.ts';
import { type DimensionKey, type Target, type Value, requestOf } from './values.ts';

/** What a witness has where no policy looks. */
function usual(host: string | undefined): readonly (readonly [DimensionKey, Value])[] {
  return [
    ['method', ['GET']],
    ['path', ['/']],
    ['host', [host ?? 'host.example']],
    ['source.ip', ['10.0.0.1']],
  ];
}

/** One request of a box: the simplest. */
export function requestIn(
  inner: readonly Dimension[],
  box: Box,
  caller: Value,
  target: Target,
  host: string | undefined,
): Request {
  const values = new Map<DimensionKey, Value>([...usual(host), ['caller', caller]]);
  for (const [at, { key, classes }] of inner.entries()) {
    const bits = box[at] ?? 0n;
    const chosen = classes.find((_, index) => has(bits, index));
    values.set(key, chosen?.value);
  }
  // A caller's address is its own where no proxy stands between.
  const remote = values.get('remote.ip');
  const ip = inner.some(({ key }) => key === 'source.ip');
  if (!ip && remote !== undefined) values.set('source.ip', remote);
  return requestOf(values, target);
}

export function verdictOn(snapshot: Snapshot, request: Request): Verdict {
  return evaluate(snapshot, request);
}

/** A request as `gatehouse policy check --requests` takes it. */
export function writtenRequest(
  name: string,
  { source, destination, http, token, extAuthz }: Request,
): Readonly<Record<string, unknown>> {
  const given = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined => {
    const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  };
  const lines = [...http.headers].map(([header, values]) => [header, values.length === 1 ? values[0] : [...values]] as const);
  return {
    name,
    ...given({
      extAuthz: extAuthz && Object.fromEntries(extAuthz),
      source: given({
        principal: source.principal === undefined ? undefined : withoutScheme(source.principal),
        ip: source.ip,
        remoteIp: source.remoteIp,
      }),
      destination: given({
        namespace: destination.namespace,
        labels: destination.labels,
        ip: destination.ip,
        port: destination.port,
        protocol: destination.protocol,
        sni: destination.sni,
      }),
      request: given({
        method: http.method,
        host: http.host,
        path: http.path,
        headers: lines.length === 0 ? undefined : Object.fromEntries(lines),
      }),
      jwt:
        token === undefined
          ? undefined
          : given({
              issuer: token.issuer,
              subject: token.subject,
              presenter: token.presenter,
              audiences: token.audiences.length === 0 ? undefined : token.audiences,
              claims: claimsOf(token.claims),
            }),
    }),
  };
}

const STANDARD: ReadonlySet<string> = new Set(['iss', 'sub', 'azp', 'aud']);

function claimsOf(claims: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const own = Object.entries(claims).filter(([name]) => !STANDARD.has(name));
  return own.length === 0 ? undefined : Object.fromEntries(own);
}
