import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { keyOf } from '../../../mesh/model/object.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Atom } from '../../../policy/access/atom.ts';
import { type Clause, clausesOf } from '../../../policy/access/rules.ts';
import { policiesFor } from '../../../policy/select.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { judge } from '../../../policy/observed/judge.ts';
import { judgementJson } from '../../../policy/observed/judgement.ts';
import { type Known, atomTruth, formsOf } from '../../../policy/observed/open-truth.ts';
import { unused } from '../../../policy/unused/unused.ts';
import { DESTINATION } from '../access/destination.ts';
import { crowded } from '../access/crowded.ts';
import { IDENTITIES, PORTS, requests } from '../differential/arbitrary.ts';
import { mtlsSetting } from '../../../policy/peer-authentication/mode.ts';
import { port } from '../model.ts';
import { observed } from './calls.ts';
import { PlainRules } from './plain-rules.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261122);
const MESHES = Number(process.env['GATEHOUSE_WORLDS'] ?? 20);
const CALLS = 120;
const DESTINATIONS = new Map([[DESTINATION.name, DESTINATION]]);

const PATHS = [
  '/admin',
  '/admin/{id}',
  '/admin{id}',
  '/{id}',
  '/{id}/cart',
  '/store/{id}/cart',
  '/store/{rest}',
  '/store/{id}.txt',
  '/a/b',
  '/a/./b',
  '/a//b',
  '/a.b',
  '/ADMIN',
  '/',
  '',
  '{other}',
  'x',
  '*',
];
const SERVICES = [
  'app.example',
  'APP.example',
  'app.example:8080',
  'app.shop.svc.cluster.local',
  'other.example',
  'app.example:',
  undefined,
];
const PRINCIPALS = [
  undefined,
  ...IDENTITIES.flatMap(([id]) => id ?? []),
  'spiffe://cluster.local/ns/ops/sa/root',
  'spiffe://old.mesh/ns/shop/sa/web/more',
  'spiffe://cluster.local',
  'cluster.local/ns/shop/sa/web',
  'spiffe:///ns/shop/sa/web',
];

const calls: fc.Arbitrary<ObservedCall> = fc
  .record({
    principal: fc.constantFrom(...PRINCIPALS),
    address: fc.constantFrom(undefined, '127.0.0.1', '10.1.2.3', '2001:db8::7', 'nonsense'),
    service: fc.constantFrom(...SERVICES),
    port: fc.constantFrom(PORTS.http, PORTS.tcp, 1, 4711, undefined),
    protocol: fc.constantFrom('HTTP' as const, 'HTTP' as const, 'GRPC' as const, 'TCP' as const),
    method: fc.constantFrom('GET', 'POST', 'OTHER', 'get', undefined),
    path: fc.oneof(
      fc.constantFrom(undefined, ...PATHS),
      requests.map(({ path }) => path),
    ),
    mtls: fc.boolean(),
    decision: fc.constantFrom('ALLOW' as const, 'ALLOW' as const, 'DENY' as const),
    by: fc.constantFrom(undefined, { policy: 'shop/p1', rule: 0 }, { policy: 'istio-system/p3', rule: 1 }),
    count: fc.nat({ max: 9 }),
    firstSeen: fc.nat({ max: 1000 }),
    lastSeen: fc.nat({ max: 1000 }),
  })
  .map(({ by, ...call }) => observed({ ...call, ...(by === undefined ? {} : { by }), destination: DESTINATION.name }));

const plain = (clauses: readonly Clause[]): PlainRules => new PlainRules(clauses);

/** What is unused, asked of each call, each rule, and each value on its own. */
function plainlyUsed(mesh: Snapshot, seen: readonly ObservedCall[]): ReadonlyMap<string, number> {
  const rules = policiesFor(mesh, DESTINATION)
    .filter(({ action }) => action === 'ALLOW')
    .flatMap((policy) => clausesOf(policy, mesh.meshConfig));
  const used = new Map<string, number>();
  const mayHold = (atom: Atom, known: Known): boolean =>
    formsOf(atom.dimension, known)?.some((value) => atomTruth(atom, value, known) !== false) ?? true;
  for (const call of seen.filter(({ decision }) => decision !== 'DENY')) {
    const encrypted = call.port === undefined || mtlsSetting(mesh, DESTINATION, port(call.port)).mode !== 'DISABLE';
    const known = { call, meshConfig: mesh.meshConfig, encrypted, tokens: mesh.requestAuthentications.length > 0 };
    const { allowing } = plain(rules).matches(known);
    const named = allowing.filter(({ clause }) => clause.name === `${call.by?.policy ?? ''} rule ${call.by?.rule ?? ''}`);
    const sure = named.length === 0 ? allowing : [...named, ...allowing.filter(({ clause }) => clause.policy.dryRun)];
    for (const name of new Set(sure.map(({ clause }) => clause.name))) used.set(name, (used.get(name) ?? 0) + call.count);
    for (const { clause } of sure)
      for (const { values } of clause.terms)
        for (const atom of values) if (mayHold(atom, known)) used.set(`${clause.name} ${atom.field} ${atom.text}`, 1);
  }
  return used;
}

describe('policy: rules that are looked up, not asked', () => {
  it('match as they do when each is asked', function () {
    this.timeout(120_000);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep "looked up, not asked"\n`);
    const counts = { granted: 0, 'not-granted': 0, depends: 0, unknown: 0 };
    let most = 0;
    for (let at = 0; at < MESHES; at++) {
      const [before, after] = [crowded(at, SEED), crowded(at + 1, SEED)];
      most = Math.max(most, after.authorizationPolicies.length);
      const [was, is] = [judge(before, DESTINATIONS), judge(after, DESTINATIONS)];
      const [plainlyWas, plainlyIs] = [judge(before, DESTINATIONS, plain), judge(after, DESTINATIONS, plain)];
      for (const call of fc.sample(calls, { seed: SEED + at, numRuns: CALLS })) {
        for (const [found, wanted] of [
          [is(call), plainlyIs(call)],
          [is(call, was.given(call)), plainlyIs(call, plainlyWas.given(call))],
        ] as const) {
          counts[found.kind] += 1;
          const told = (): string => JSON.stringify({ mesh: at, call, found, wanted, after: after.authorizationPolicies });
          assert.deepEqual(judgementJson(found), judgementJson(wanted), told());
          if (found.kind === 'depends' && wanted.kind === 'depends') assert.equal(found.basis, wanted.basis, told());
        }
      }
    }
    process.stdout.write(`    ${JSON.stringify(counts)}, up to ${most} policies\n`);
    assert.ok(Math.min(counts.granted, counts['not-granted'], counts.depends) > 2 * MESHES && most > 32);
  });

  it('are used as they are when each is asked', function () {
    this.timeout(120_000);
    let [used, notUsed] = [0, 0];
    for (let at = 0; at < MESHES; at++) {
      const mesh = crowded(at, SEED);
      const seen = fc.sample(calls, { seed: SEED - at, numRuns: at % 20 });
      const wanted = plainlyUsed(mesh, seen);
      for (const { policy, rules } of unused(mesh, [DESTINATION], seen))
        for (const { rule, use, unusedParts } of rules) {
          const name = `${policy} rule ${rule}`;
          const told = (): string =>
            JSON.stringify({ mesh: at, name, use, unusedParts, seen, policies: mesh.authorizationPolicies });
          assert.equal(use?.calls, wanted.get(name), told());
          for (const { field, value } of unusedParts) assert.ok(!wanted.has(`${name} ${field} ${value}`), told());
          const clauses = mesh.authorizationPolicies
            .filter(({ meta }) => keyOf(meta) === policy)
            .flatMap((one) => clausesOf(one, mesh.meshConfig))
            .filter((clause) => clause.rule === rule && use !== undefined);
          for (const { field, text } of clauses.flatMap(({ terms }) => terms.flatMap(({ values }) => values)))
            assert.ok(
              wanted.has(`${name} ${field} ${text}`) || unusedParts.some((part) => part.field === field && part.value === text),
              told(),
            );
          used += use === undefined ? 0 : 1;
          notUsed += use === undefined ? 1 : 0;
        }
    }
    assert.ok(used > MESHES && notUsed > MESHES);
  });
});
