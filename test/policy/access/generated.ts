import * as fc from 'fast-check';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import { PORTS, SINGLE, type World, requests } from '../differential/arbitrary.ts';
import { peerAuthentication, port, request, snapshot } from '../model.ts';
import { AUTHORIZER, PROVIDERS, authentications } from './authorities.ts';

export const LABELS = { app: 'web' };

const tokens = fc.option(
  fc.record({
    issuer: fc.constantFrom('iss', 'iss2'),
    subject: fc.constantFrom('sub', 'other'),
    audiences: fc.constantFrom([], ['shop'], ['shop', 'ops']),
    group: fc.constantFrom(undefined, ['admin'], ['user'], ['user', 'admin']),
  }),
  { nil: undefined, freq: 3 },
);

/** A request in parts, see {@link requestOf}. */
export const asked = fc.record({
  sent: requests,
  caller: fc.constantFrom(
    undefined,
    ...SINGLE.map(([id]) => id),
    'spiffe://cluster.local/ns/none/sa/none',
    'spiffe://far.away/billing',
  ),
  ip: fc.constantFrom('127.0.0.1', '127.0.0.2', '10.1.2.3', '192.0.2.1', '2001:db8::7'),
  remoteIp: fc.constantFrom('127.0.0.1', '10.1.2.3', '192.0.2.1', '2001:db8::7'),
  destinationIp: fc.constantFrom('127.1.1.1', '10.0.0.9', '192.0.2.1'),
  sni: fc.constantFrom(undefined, 'app.example', 'other'),
  port: fc.constantFrom(PORTS.http, PORTS.tcp, 1, 4711),
  token: tokens,
  answer: fc.constantFrom('allow' as const, 'deny' as const),
});

export type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

export function requestOf({ answer, sent, caller, ip, remoteIp, destinationIp, sni, port: number, token }: Asked): Request {
  const protocol = number === PORTS.tcp ? 'TCP' : 'HTTP';
  const extAuthz = new Map([
    ['authorizer', answer],
    ['web-authorizer', answer],
  ]);
  const made = request({
    source: { principal: caller, ip, remoteIp },
    destination: { namespace: 'shop', labels: LABELS, port: port(number), protocol, ip: destinationIp, sni },
    http:
      protocol === 'TCP'
        ? {}
        : {
            method: sent.method,
            host: sent.host,
            path: sent.path,
            headers: new Map(sent.role === undefined ? [] : [['x-role', sent.role]]),
          },
    token:
      token === undefined || protocol === 'TCP'
        ? undefined
        : {
            issuer: token.issuer,
            subject: token.subject,
            audiences: token.audiences,
            presenter: undefined,
            claims: { iss: token.issuer, sub: token.subject, aud: token.audiences, group: token.group },
          },
  });
  return { ...made, extAuthz };
}

/** A mesh around a generated world; `index` makes some of them differ. */
export function meshOf(world: World, index: number, seed: number): Snapshot {
  const authentication = fc.sample(authentications, { seed: seed + index, numRuns: 1 })[0];
  return snapshot({
    meshConfig: { ...world.meshConfig, extensionProviders: PROVIDERS },
    services: [AUTHORIZER],
    authorizationPolicies: world.policies.map((one) =>
      one.action === 'CUSTOM' ? { ...one, provider: ['authorizer', 'web-authorizer', 'nobody'][index % 3] } : one,
    ),
    requestAuthentications: authentication === undefined ? [] : [authentication],
    peerAuthentications: [
      peerAuthentication('shop', 'default', { mode: world.strict ? 'STRICT' : 'PERMISSIVE' }),
      ...(index % 5 === 0
        ? [peerAuthentication('shop', 'open', { selector: LABELS, portLevel: new Map([[port(4711), 'DISABLE']]) })]
        : []),
    ],
  });
}
