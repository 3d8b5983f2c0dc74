import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describedText } from '../../../policy/access/describe.ts';
import { DESTINATION } from './destination.ts';
import { mayCallWorkload } from '../../../policy/access/may-call.ts';
import { accessTable } from '../../../policy/access/table.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import { AUTHORIZER, PROVIDERS, authentications } from './authorities.ts';
import { told } from './told.ts';
import { IDENTITIES, PORTS, SINGLE, requests, worlds } from '../differential/arbitrary.ts';
import { peerAuthentication, port, request, snapshot } from '../model.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const WORLDS = Number(process.env['GATEHOUSE_WORLDS'] ?? 150);

const LABELS = { app: 'web' };
/** Not of the form that the search for kinds of callers knows, so it must be named. */
const ODD = 'cluster.local/k/v/ns/shop/k2/v2/sa/web/k3';

const tokens = fc.option(
  fc.record({
    issuer: fc.constantFrom('iss', 'iss2'),
    subject: fc.constantFrom('sub', 'other'),
    audiences: fc.constantFrom([], ['shop'], ['shop', 'ops']),
    group: fc.constantFrom(undefined, ['admin'], ['user'], ['user', 'admin']),
  }),
  { nil: undefined, freq: 3 },
);

const asked = fc.record({
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

type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

function requestOf({ answer, sent, caller, ip, remoteIp, destinationIp, sni, port: number, token }: Asked): Request {
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

describe('policy, access: what is told and what is decided', () => {
  it('is the same for generated policies and requests', function () {
    this.timeout(120_000);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep "what is told"\n`);
    const counts = { allowed: 0, denied: 0, untold: 0, rows: 0, never: 0 };
    for (const [index, world] of fc.sample(worlds, { seed: SEED, numRuns: WORLDS }).entries()) {
      const authentication = fc.sample(authentications, { seed: SEED + index, numRuns: 1 })[0];
      const mesh = snapshot({
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
      const table = accessTable({ snapshot: mesh, destination: DESTINATION }, [ODD]);
      assert.ok(table.world.complete);
      for (const { grants } of table.tables) {
        for (const { confirmed, witness, conditions } of grants) {
          counts.rows += 1;
          assert.ok(
            confirmed,
            JSON.stringify({
              world: index,
              witness,
              conditions: conditions.map(({ key, description }) => [key, describedText(description)]),
              verdict: evaluate(mesh, witness),
              policies: world.policies,
            }),
          );
        }
      }
      for (const one of fc.sample(asked, { seed: SEED + index, numRuns: 200 }).map(requestOf)) {
        const { decision, reason } = evaluate(mesh, one);
        const id = one.source.principal?.slice('spiffe://'.length);
        if (decision === 'ALLOW' && id !== undefined)
          assert.ok(mayCallWorkload(mesh, id, { namespace: 'shop', labels: LABELS }), `${id}: ${JSON.stringify(world.policies)}`);
        if (id !== undefined && !mayCallWorkload(mesh, id, { namespace: 'shop', labels: LABELS })) counts.never += 1;
        const found = told(mesh, table, one);
        if (found === 'untold') counts.untold += 1;
        else {
          counts[found ? 'allowed' : 'denied'] += 1;
          assert.equal(
            found ? 'ALLOW' : 'DENY',
            decision,
            JSON.stringify({
              world: index,
              one,
              reason,
              headers: [...one.http.headers],
              policies: world.policies,
              meshConfig: mesh.meshConfig,
            }),
          );
        }
      }
    }
    process.stdout.write(
      `    ${counts.rows} rows; ${counts.allowed} requests allowed, ${counts.denied} denied, ${counts.untold} in what cannot be told\n`,
    );
    assert.ok(counts.allowed > WORLDS && counts.denied > WORLDS, 'both answers must be tried');
    assert.ok(counts.untold < WORLDS, 'hardly anything may be too much to tell');
    assert.ok(counts.never > WORLDS, `${counts.never} requests of callers of whom it is known that none is allowed`);
    assert.ok(IDENTITIES.length > 0);
  });
});
