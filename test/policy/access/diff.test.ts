import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { type Change, type Comparison, comparison, differences } from '../../../policy/access/diff.ts';
import { holds } from '../../../policy/access/describe.ts';
import { accessText } from '../../../policy/access/same.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import { factsOf } from '../../../policy/evaluate/facts.ts';
import { PORTS, SINGLE, type World, requests, worlds } from '../differential/arbitrary.ts';
import { DESTINATION } from './destination.ts';
import { given, operation, peerAuthentication, policy, port, request, rule, snapshot, source } from '../model.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const PAIRS = Number(process.env['GATEHOUSE_WORLDS'] ?? 80);
const LABELS = { app: 'web' };
const KNOWN = SINGLE.map(([id]) => (id ?? '').slice('spiffe://'.length));

type Decided = 'ALLOW' | 'DENY';

function meshOf({ policies, strict, meshConfig }: World): Snapshot {
  return snapshot({
    meshConfig,
    authorizationPolicies: policies,
    peerAuthentications: [peerAuthentication('shop', 'default', { mode: strict ? 'STRICT' : 'PERMISSIVE' })],
  });
}

const asked = fc.record({
  sent: requests,
  caller: fc.constantFrom(undefined, ...SINGLE.map(([id]) => id)),
  ip: fc.constantFrom('127.0.0.1', '10.1.2.3', '2001:db8::7'),
  destinationIp: fc.constantFrom('127.1.1.1', '10.0.0.9'),
  sni: fc.constantFrom(undefined, 'app.example', 'other'),
});

describe('policy, access before and after', () => {
  it('differs in exactly the requests that are decided otherwise', function () {
    this.timeout(60_000);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep "access before and after"\n`);
    const counts = { same: 0, differ: 0, rows: 0 };
    const all = fc.sample(worlds, { seed: SEED, numRuns: PAIRS + 1 });
    for (let index = 0; index < PAIRS; index++) {
      const [one, next] = [all[index], all[index + 1]];
      assert.ok(one !== undefined && next !== undefined);
      // Settings of the mesh that differ have a test of their own.
      const sides = [one, { ...next, meshConfig: one.meshConfig }].map((world) => ({
        snapshot: meshOf(world),
        destination: DESTINATION,
      }));
      const [before, after] = sides;
      assert.ok(before !== undefined && after !== undefined);
      const { changes, untold }: Comparison = comparison(differences(before, after, KNOWN), before, after);
      assert.deepEqual(untold, []);
      counts.rows += changes.length;
      for (const { confirmed, now, example } of changes) assert.ok(confirmed, JSON.stringify({ index, now, example }));
      for (const { sent, caller, ip, destinationIp, sni } of fc.sample(asked, { seed: SEED + index, numRuns: 100 })) {
        const question: Request = request({
          source: { principal: caller, ip },
          destination: { namespace: 'shop', labels: LABELS, port: port(PORTS.http), ip: destinationIp, sni },
          http: {
            method: sent.method,
            host: sent.host,
            path: sent.path,
            headers: new Map(sent.role === undefined ? [] : [['x-role', sent.role]]),
          },
        });
        const was: Decided = evaluate(before.snapshot, question).decision;
        const is: Decided = evaluate(after.snapshot, question).decision;
        const facts = factsOf(question, one.meshConfig, true, undefined);
        const covering: readonly Change[] = changes.filter(
          ({ protocol, ports, callers, conditions }) =>
            protocol === 'HTTP' &&
            ports.includes(port(PORTS.http)) &&
            conditions.every(({ description }) => holds(description, facts, question)) &&
            callers.some((who) => {
              if (caller === undefined) return who.kind === 'plain-text';
              const id = caller.slice('spiffe://'.length);
              const own =
                id.startsWith(`${one.meshConfig.trustDomain}/`) ||
                one.meshConfig.trustDomainAliases.includes(id.split('/')[0] ?? '');
              if (who.kind === 'identity') return who.principal === id;
              if (who.kind === 'all') return (who.of === 'own') === own;
              return who.kind === 'others' && who.known.includes(id);
            }),
        );
        counts[was === is ? 'same' : 'differ'] += 1;
        assert.deepEqual(
          [...new Set(covering.map(({ now }) => now))],
          was === is ? [] : [is],
          JSON.stringify({
            index,
            question,
            headers: [...question.http.headers],
            was,
            is,
            before: one.policies,
            after: next.policies,
          }),
        );
      }
    }
    process.stdout.write(`    ${counts.rows} rows; ${counts.differ} requests decided otherwise, ${counts.same} alike\n`);
    assert.ok(counts.differ > PAIRS && counts.same > PAIRS, 'both must be tried');
  });

  const web = (rules: Parameters<typeof policy>[2]['rules']): Snapshot =>
    snapshot({ authorizationPolicies: [policy('shop', 'web', { ...(rules === undefined ? {} : { rules }) })] });
  const changesBetween = (before: Snapshot, after: Snapshot): ReturnType<typeof comparison>['changes'] => {
    const [one, other] = [
      { snapshot: before, destination: DESTINATION },
      { snapshot: after, destination: DESTINATION },
    ];
    return comparison(differences(one, other, KNOWN), one, other).changes;
  };
  const exact = (value: string): { readonly kind: 'exact'; readonly value: string } => ({ kind: 'exact', value });
  const to = (...methods: readonly string[]): ReturnType<typeof operation> => operation({ methods: given(methods.map(exact)) });
  const from = (...ids: readonly string[]): ReturnType<typeof source> => source({ principals: given(ids.map(exact)) });

  it('is the same when rules are only written in other words', () => {
    const [a, b] = ['cluster.local/ns/shop/sa/web', 'cluster.local/ns/shop/sa/web2'];
    const together = web([rule({ from: [from(a, b)], to: [to('GET', 'POST')] })]);
    const apart = web([
      rule({ from: [from(a)], to: [to('GET')] }),
      rule({ from: [from(b)], to: [to('GET'), to('POST')] }),
      rule({ from: [from(a)], to: [to('POST')] }),
    ]);
    assert.deepEqual(changesBetween(together, apart), []);
  });

  it('tells plain text that is cut off', () => {
    const open = snapshot({});
    const strict = snapshot({ peerAuthentications: [peerAuthentication('istio-system', 'default', { mode: 'STRICT' })] });
    const changes = changesBetween(open, strict);
    assert.deepEqual(
      changes.map(({ now, callers, conditions, protocol }) => [now, callers, conditions, protocol]),
      [
        ['DENY', [{ kind: 'plain-text' }], [], 'HTTP'],
        ['DENY', [{ kind: 'plain-text' }], [], 'TCP'],
      ],
    );
    assert.match(changes[0]?.after.reason ?? '', /STRICT/);
  });

  it('tells of a workload that other labels take out of a policy', () => {
    const mesh = snapshot({
      authorizationPolicies: [policy('shop', 'web', { selector: LABELS, rules: [] })],
    });
    const before = { snapshot: mesh, destination: DESTINATION };
    const after = { snapshot: mesh, destination: { ...DESTINATION, labels: { app: 'other' } } };
    assert.notEqual(accessText(before), accessText(after));
    const { changes } = comparison(differences(before, after, KNOWN), before, after);
    assert.ok(changes.length > 0 && changes.every(({ now, confirmed }) => now === 'ALLOW' && confirmed));
  });
});
