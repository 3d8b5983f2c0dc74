import assert from 'node:assert/strict';
import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { DeniedCall, Evidence } from '../../../policy/rollout/evidence.ts';
import { parseRecord, recordText } from '../../../policy/rollout/record.ts';
import type { RolloutState } from '../../../policy/rollout/state.ts';
import { policy } from '../model.ts';
import { MINUTE, there, denied, justEntered } from './entered.ts';
import { advance, answered, at, call, decided, done, evidence, HOUR, plain, rollout, T0 } from './scenario.ts';

describe('automatic rollback', () => {
  const on = rollout();
  const fires = (state: RolloutState, deniedSince: readonly DeniedCall[], fields: Partial<Evidence> = {}, spec = on) =>
    decided(state, spec, there(state, evidence(T0 + 5_000, { deniedSince, ...fields }))).state.intent;

  it('one step back for callers that were let through before, and says which', () => {
    const intent = fires(justEntered('enforce', on), [denied(6), denied(4)]);
    assert.deepEqual(
      [intent?.transition.to, intent?.transition.cause, intent?.transition.by],
      ['dry-run', 'rollback-automatic', 'gatehouse'],
    );
    assert.match(
      intent?.transition.reason ?? '',
      /^10 calls as were let through before were denied since 2026-11-18T03:00:00Z \(the step of .* to enforce\): cluster\.local\/ns\/shop\/sa\/web to shop\/cart:8080 GET \/items/,
    );
  });

  const nothing: readonly (readonly [string, readonly DeniedCall[], Partial<NamespaceRollout>])[] = [
    ['too few', [denied(9)], {}],
    ['a stranger who knocks', [denied(999, { principal: 'spiffe://cluster.local/ns/evil/sa/x' })], {}],
    [
      'who was let through and now tries something else',
      [denied(999, { path: '/admin' }), denied(999, { method: 'DELETE' })],
      {},
    ],
    ['another port', [denied(999, { port: 9090 })], {}],
    ['a revoked identity', [denied(999, {}, { revoked: true }), denied(99, { refusedBy: 'identity' })], {}],
    ['none at all, where it is switched off', [denied(999)], { rollback: { denials: 0, withinMs: MINUTE } }],
    [
      'what somebody accepted',
      [denied(999)],
      {
        accepted: [
          {
            kind: 'denied',
            from: { principal: 'cluster.local/ns/shop/sa/web', namespace: undefined, ipBlock: undefined },
            to: { workload: undefined, port: undefined },
            ...answered,
          },
        ],
      },
    ],
  ];
  for (const [name, calls, fields] of nothing)
    it(`not for ${name}`, () => assert.equal(fires(justEntered('enforce', on), calls, {}, rollout(fields)), undefined));

  it('not for what was accepted once, though it ended or nobody answers for it any more; until it is suggested anew', () => {
    const entry = {
      kind: 'denied' as const,
      from: { principal: 'cluster.local/ns/shop/sa/web', namespace: undefined, ipBlock: undefined },
      to: { workload: undefined, port: undefined },
      ...answered,
    };
    const ended = rollout({ accepted: [{ ...entry, until: T0 + 1_000 }] });
    const state = justEntered('enforce', ended);
    assert.equal(fires(state, [denied(99)], {}, ended), undefined, 'ended');
    assert.deepEqual(state.answered, [{ from: entry.from, to: entry.to }]);
    assert.deepEqual(parseRecord(recordText(state))?.answered?.length, 1, 'kept over a restart');
    assert.equal(fires(state, [denied(99)]), undefined, 'removed');
    const renewing = { kind: 'renew' as const, by: 'ann', reason: 'the importer is back' };
    const open = justEntered('dry-run', rollout({ accepted: [entry] }));
    assert.equal(open.answered?.length, 1);
    const renewed = done(decided(open, on, evidence(T0), renewing), on, T0);
    assert.deepEqual(renewed.answered, []);
    const enforced = done(decided(renewed, on, evidence(T0), advance({ force: true, reason: 'test' })), on, T0);
    assert.equal(fires(enforced, [denied(99)])?.transition.to, 'dry-run');
  });

  it('by method and path: what was accepted does not count, the rest of the same caller does', () => {
    const from = { principal: 'cluster.local/ns/shop/sa/web', namespace: undefined, ipBlock: undefined };
    const entry = { kind: 'denied' as const, from, to: { workload: 'cart', port: undefined, paths: ['/export/*'] }, ...answered };
    const accepting = rollout({ accepted: [entry] });
    const calls = [call(), call({ path: '/export/{id}' })];
    const state = justEntered('enforce', accepting);
    assert.deepEqual(parseRecord(recordText(state))?.answered, [
      { from: { principal: from.principal }, to: { workload: 'cart', paths: ['/export/*'] } },
    ]);
    assert.equal(fires(state, [denied(99, { path: '/export/{id}' })], { calls }, accepting), undefined);
    assert.equal(fires(state, [denied(99, { path: '/export/{id}' })], { calls }), undefined, 'removed');
    assert.equal(
      fires(state, [denied(99, { path: '/export/{id}' }), denied(10)], { calls }, accepting)?.transition.to,
      'dry-run',
    );
  });

  it('of refused connections: not where all that they may be was accepted, be the entry there or not', () => {
    const from = { principal: undefined, namespace: undefined, ipBlock: '10.1.2.3' };
    const entry = { kind: 'plain-text' as const, from, to: { workload: 'cart', port: 8080, paths: ['/metrics'] }, ...answered };
    const accepting = rollout({ accepted: [entry] });
    const state = justEntered('strict', accepting);
    const refused = denied(99, {
      principal: undefined,
      address: '10.1.2.3',
      protocol: 'TCP',
      method: undefined,
      path: undefined,
      refusedBy: 'transport',
    });
    const scrapes = [call(), plain({ path: '/metrics' })];
    for (const spec of [accepting, rollout()]) {
      assert.equal(fires(state, [refused], { calls: scrapes }, spec), undefined);
      assert.equal(fires(state, [refused], { calls: [...scrapes, plain()] }, spec)?.transition.to, 'observe');
    }
  });

  it('forgets nothing that is accepted today, however much was', () => {
    const from = { principal: 'cluster.local/ns/shop/sa/web', namespace: undefined, ipBlock: undefined };
    const entryFor = (at: number) => ({
      kind: 'denied' as const,
      from,
      to: { workload: `w${at}`, port: undefined },
      ...answered,
    });
    const kept = entryFor(0);
    let state = justEntered('enforce', rollout({ accepted: [kept] }));
    for (let round = 1; round <= 4; round++) {
      const accepted = [kept, ...Array.from({ length: 499 }, (_, at) => entryFor(round * 1000 + at))];
      ({ state } = decided(state, rollout({ accepted }), there(state, evidence(T0 + round))));
      const workloads = new Set(state.answered?.map(({ to }) => to.workload));
      assert.ok(
        accepted.every(({ to }) => workloads.has(to.workload)),
        `round ${round}`,
      );
      assert.ok(workloads.size <= 1000);
    }
  });

  it('not once its time is over', () => {
    const state = justEntered('enforce', on);
    const late = decided(state, on, evidence(T0 + 11 * MINUTE, { deniedSince: [denied(99)] })).state;
    assert.deepEqual([late.intent, late.armed], [undefined, undefined]);
  });

  it('from STRICT to observe, for callers in plain text of which only the connection is known', () => {
    const refused = denied(10, {
      principal: undefined,
      address: '10.1.2.3',
      method: undefined,
      path: undefined,
      refusedBy: 'transport',
    });
    assert.equal(fires(justEntered('strict', on), [refused], { calls: [call(), plain()] })?.transition.to, 'observe');
    assert.equal(fires(justEntered('strict', on), [refused]), undefined, 'an address that was never let through');
  });

  it('a dry run refuses nobody, so it arms nothing', () => assert.equal(justEntered('dry-run', on).armed, undefined));

  it('does not go off twice for one step', () => {
    const state = justEntered('enforce', on);
    const spike = evidence(T0 + 5_000, { deniedSince: [denied(20)] });
    const undone = done(decided(state, on, spike), on, T0 + 5_100);
    assert.deepEqual([undone.stage, undone.armed], ['dry-run', undefined]);
  });

  describe('a policy of somebody else', () => {
    const bad = (fields: Parameters<typeof policy>[2] = {}, annotations = {}) => {
      const one = policy('shop', 'bad', { action: 'DENY', selector: { app: 'cart' }, ...fields });
      return { ...one, meta: { ...one.meta, annotations } };
    };
    const resting = (): RolloutState => {
      const state = at('enforce', on);
      return decided(state, on, there(state, evidence(T0))).state;
    };
    const withPolicy = (
      state: RolloutState,
      one: ReturnType<typeof bad>,
      deniedSince: readonly DeniedCall[],
      now = T0 + 5_000,
    ) => {
      const found = evidence(now, { deniedSince });
      return decided(state, on, there(state, { ...found, configured: { ...found.configured, authorizationPolicies: [one] } }));
    };

    it('that comes and refuses becomes a dry run; the stage stays', () => {
      const armed = withPolicy(resting(), bad(), []).state;
      assert.match(armed.armed?.why ?? '', /AuthorizationPolicy shop\/bad changed/);
      const { intent } = withPolicy(armed, bad(), [denied(10, {}, { policy: 'shop/bad' })], T0 + 6_000).state;
      assert.deepEqual([intent?.transition.to, intent?.dryRun], ['enforce', [{ namespace: 'shop', name: 'bad' }]]);
      assert.ok(intent?.transition.objects.includes('AuthorizationPolicy shop/bad'));
    });
    it('that was there before is not touched, even where it refuses', () => {
      const state = resting();
      const known = withPolicy(state, bad(), []).state;
      const later = decided({ ...known, armed: undefined }, on, evidence(T0 + HOUR)).state;
      assert.equal(
        withPolicy({ ...later, known: known.known, armed: undefined }, bad(), [denied(99)], T0 + HOUR).state.intent,
        undefined,
      );
    });
    it('that is meant to cut somebody off is left alone, and so is the stage', () => {
      const meant = bad({}, { 'gatehouse.dev/intended-denials': 'true' });
      const armed = withPolicy(resting(), meant, []).state;
      assert.equal(withPolicy(armed, meant, [denied(99, {}, { policy: 'shop/bad' })], T0 + 6_000).state.intent, undefined);
    });
    it('of the root namespace is never touched, and the stage does not go back for it: somebody is told', () => {
      const root = { ...bad(), meta: { ...bad().meta, namespace: 'istio-system' } };
      const armed = withPolicy(resting(), root, []).state;
      const { state, alerts } = withPolicy(armed, root, [denied(99, {}, { policy: 'istio-system/bad' })], T0 + 6_000);
      assert.equal(state.intent, undefined);
      assert.match(alerts[0] ?? '', /Nothing of the rollout's refused them/);
    });
    it('that names nobody for its refusals is suspected', () => {
      const armed = withPolicy(resting(), bad({ action: 'ALLOW' }), []).state;
      assert.equal(withPolicy(armed, bad({ action: 'ALLOW' }), [denied(10)], T0 + 6_000).state.intent?.dryRun.length, 1);
    });
    it('and if that was not it, the stage goes back next', () => {
      const armed = withPolicy(resting(), bad(), []).state;
      const marked = done(withPolicy(armed, bad(), [denied(10)], T0 + 6_000), on, T0 + 6_100);
      assert.equal(marked.armed?.own, true);
      const dry = bad({ dryRun: true });
      assert.equal(withPolicy(marked, dry, [denied(9)], T0 + 30_000).state.intent, undefined);
      assert.equal(withPolicy(marked, dry, [denied(10)], T0 + 30_000).state.intent?.transition.to, 'dry-run');
    });
    it('that goes away takes nothing with it but what it let in: the stage goes back', () => {
      const state = withPolicy(resting(), bad({ action: 'ALLOW' }), []).state;
      const gone = decided({ ...state, armed: undefined }, on, there(state, evidence(T0 + HOUR))).state;
      assert.match(gone.armed?.why ?? '', /shop\/bad changed/);
      const { intent } = decided(gone, on, there(state, evidence(T0 + HOUR + 1, { deniedSince: [denied(10)] }))).state;
      assert.deepEqual([intent?.transition.to, intent?.dryRun], ['dry-run', []]);
    });
  });

  it('of a workload that caught up takes that one back, not the namespace', () => {
    const excepted = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered }] });
    const state = { ...at('enforce', excepted), armed: undefined };
    const lifted = done(decided(state, on, evidence(T0), advance()), on, T0);
    assert.deepEqual(lifted.held, { cart: 'strict' });
    const refused = denied(10, {
      principal: undefined,
      address: '10.1.2.3',
      method: undefined,
      path: undefined,
      refusedBy: 'transport',
    });
    const intent = fires(lifted, [refused], { calls: [call(), plain()] });
    assert.deepEqual([intent?.transition.to, intent?.held], ['enforce', { cart: 'observe' }]);
  });
});
