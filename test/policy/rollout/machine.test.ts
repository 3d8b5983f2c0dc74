import assert from 'node:assert/strict';
import type { NamespaceRollout, Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { DeniedCall, Evidence } from '../../../policy/rollout/evidence.ts';
import { parseRecord, recordText } from '../../../policy/rollout/record.ts';
import type { RolloutState } from '../../../policy/rollout/state.ts';
import { statusOf } from '../../../policy/rollout/status-of.ts';
import { peerAuthentication, policy } from '../model.ts';
import {
  advance,
  answered,
  at,
  call,
  decided,
  done,
  evidence,
  HOUR,
  plain,
  rollout,
  suggested,
  T0,
  workload,
} from './scenario.ts';

const back = (to?: Stage) => ({
  kind: 'rollback' as const,
  by: 'ann',
  reason: 'calls fail',
  ...(to === undefined ? {} : { to }),
});
const MINUTE = 60_000;
const own = { 'gatehouse.dev/rollout': 'shop' };

/** The policies that a state's objects come to, as the snapshot has them. */
function there(state: RolloutState, found: Evidence): Evidence {
  const authorizationPolicies = state.objects
    .filter(({ kind }) => kind === 'AuthorizationPolicy')
    .map(({ metadata }) => {
      const one = policy('shop', metadata.name, { dryRun: metadata.annotations !== undefined });
      return { ...one, meta: { ...one.meta, labels: own } };
    });
  return {
    ...found,
    configured: {
      ...found.configured,
      authorizationPolicies: [...found.configured.authorizationPolicies, ...authorizationPolicies],
    },
  };
}

const denied = (count: number, fields: Parameters<typeof call>[0] = {}, more: Partial<DeniedCall> = {}): DeniedCall => ({
  call: call({ decision: 'DENY', count, firstSeen: T0 + 1, lastSeen: T0 + 2, ...fields }),
  policy: undefined,
  revoked: false,
  ...more,
});

/** At a stage that was just entered. */
function justEntered(stage: Exclude<Stage, 'observe'>, on: NamespaceRollout): RolloutState {
  const before = at(stage === 'strict' ? 'observe' : stage === 'dry-run' ? 'strict' : 'dry-run', on);
  return done(decided(before, on, evidence(T0), advance({ force: true, reason: 'test' })), on, T0);
}

describe('a rollout, step by step', () => {
  it('waits for the command, and takes it once the gates are met', () => {
    const on = rollout();
    assert.equal(decided(undefined, on, evidence(T0)).state.intent, undefined);
    const decision = decided(undefined, on, evidence(T0), advance());
    assert.equal(decision.refusal, undefined);
    assert.deepEqual(decision.state.intent?.transition.objects, ['PeerAuthentication shop/rollout-strict']);
    assert.equal(decision.state.stage, 'observe', 'not before the objects are there');
    const state = done(decision, on, T0 + 5);
    const [transition] = state.history;
    assert.deepEqual(
      [state.stage, transition?.number, transition?.cause, transition?.by, transition?.gates.every(({ met }) => met)],
      ['strict', 1, 'command', 'ann', true],
    );
  });

  it('is refused with what holds it, in words; and overridden with a reason, which is kept', () => {
    const held = evidence(T0, { calls: [call(), plain()] });
    const refused = decided(undefined, rollout(), held, advance());
    assert.equal(refused.refusal?.error, 'shop cannot enter strict yet');
    assert.deepEqual(refused.refusal.heldBy, [
      'plain-text: wanted no caller in plain text but accepted ones; found 1 caller in plain text (10.1.2.3 to shop/cart:8080 GET /items, 12 calls, the last 2026-11-18T03:00:00Z)',
    ]);
    assert.match(decided(undefined, rollout(), held, advance({ force: true })).refusal?.error ?? '', /needs a reason/);
    const forced = decided(undefined, rollout(), held, advance({ force: true, reason: 'it is a scanner' })).state.intent
      ?.transition;
    assert.deepEqual([forced?.reason, forced?.gates.filter(({ met }) => !met).length], ['it is a scanner', 1]);
  });

  it('takes one stage at a time', () => {
    const { refusal } = decided(undefined, rollout(), evidence(T0), advance({ to: 'enforce', force: true, reason: 'now' }));
    assert.match(refusal?.error ?? '', /one stage at a time: the next is strict, not enforce/);
  });

  it('by itself, where it says so, as soon as the gates are met and not before', () => {
    const on = rollout({ advance: 'Automatic' });
    assert.equal(decided(undefined, on, evidence(T0, { calls: [] })).state.intent, undefined);
    assert.equal(decided(undefined, on, evidence(T0)).state.intent?.transition.cause, 'automatic');
    const dryRun = at('dry-run', on);
    assert.equal(decided(dryRun, on, evidence(T0 + 167 * HOUR)).state.intent, undefined);
    assert.equal(decided(dryRun, on, evidence(T0 + 168 * HOUR)).state.intent?.transition.to, 'enforce');
  });

  it('goes no further than its target, and back at once where that is lower', () => {
    assert.match(
      decided(at('strict', rollout()), rollout({ target: 'strict' }), evidence(T0), advance()).refusal?.error ?? '',
      /spec\.target: strict/,
    );
    const lowered = decided(at('enforce', rollout()), rollout({ target: 'strict' }), evidence(T0)).state.intent?.transition;
    assert.deepEqual([lowered?.from, lowered?.to, lowered?.cause], ['enforce', 'strict', 'rollback-command']);
  });

  it('paused: no step, nothing written, and back all the same', () => {
    const paused = rollout({ advance: 'Automatic', paused: true });
    const decision = decided(undefined, paused, evidence(T0));
    assert.deepEqual([decision.state.intent, decision.desired], [undefined, undefined]);
    assert.deepEqual(decided(undefined, paused, evidence(T0), advance()).refusal?.heldBy, [
      'paused: the NamespaceRollout says so (spec.paused)',
    ]);
    const state = done(
      decided(at('enforce', rollout()), rollout(), evidence(T0), { kind: 'pause', by: 'ann', reason: 'freeze' }),
      rollout(),
      T0,
    );
    assert.deepEqual(decided(state, rollout(), evidence(T0), back()).state.intent?.transition.to, 'dry-run');
    assert.equal(decided(state, rollout(), evidence(T0), { kind: 'resume', by: 'ann', reason: '' }).state.paused, undefined);
  });

  it('back by one, or to any stage before', () => {
    const state = at('enforce', rollout());
    assert.equal(decided(state, rollout(), evidence(T0), back()).state.intent?.transition.to, 'dry-run');
    assert.equal(decided(state, rollout(), evidence(T0), back('observe')).state.intent?.objects.length, 0);
    assert.match(decided(state, rollout(), evidence(T0), back('enforce')).refusal?.error ?? '', /not before it/);
    assert.match(decided(undefined, rollout(), evidence(T0), back()).refusal?.error ?? '', /nothing to go back to/);
  });

  it('renewed: what is dry-run is made anew, and its week begins anew', () => {
    const state = done(
      decided(at('dry-run', rollout()), rollout(), evidence(T0 + HOUR), { kind: 'renew', by: 'ann', reason: 'a new workload' }),
      rollout(),
      T0 + HOUR,
    );
    assert.deepEqual([state.objectsSince, state.since, state.armed], [T0 + HOUR, T0, undefined]);
    assert.match(
      decided(at('enforce', rollout()), rollout(), evidence(T0), { kind: 'renew', by: 'a', reason: '' }).refusal?.error ?? '',
      /rollback/,
    );
  });

  describe('proposed only', () => {
    const on = rollout({ advance: 'Propose' });
    it('writes nothing, and says what to do instead', () => {
      const decision = decided(undefined, on, evidence(T0));
      assert.deepEqual([decision.desired, decision.state.intent], [undefined, undefined]);
      assert.match(decided(undefined, on, evidence(T0), advance()).refusal?.error ?? '', /gatehouse rollout plan shop -o yaml/);
      assert.match(decided(at('strict', rollout()), on, evidence(T0), back()).refusal?.error ?? '', /take back the commit/);
    });
    it('notices what was committed', () => {
      const strict = peerAuthentication('shop', 'rollout-strict', { mode: 'STRICT' });
      const found = evidence(T0);
      const configured = { ...found.configured, peerAuthentications: [{ ...strict, meta: { ...strict.meta, labels: own } }] };
      const { state, desired } = decided(undefined, on, { ...found, configured });
      assert.deepEqual([state.stage, desired], ['strict', undefined]);
      const { state: later } = decided(state, on, evidence(T0));
      assert.deepEqual([later.stage, later.history.at(-1)?.cause], ['observe', 'noticed']);
    });
  });

  describe('exceptions', () => {
    const excepted = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered }] });
    it('keep a workload where it is while the rest goes on', () => {
      const state = at('enforce', excepted);
      assert.deepEqual(state.held, { cart: 'observe' });
      assert.ok(state.objects.some(({ metadata }) => metadata.name === 'rollout-permissive-cart'));
    });
    it('that are made later take it back at once, and say who answers', () => {
      const { intent } = decided(at('enforce', rollout()), excepted, evidence(T0)).state;
      assert.deepEqual([intent?.transition.cause, intent?.held], ['exceptions', { cart: 'observe' }]);
      assert.match(intent?.transition.reason ?? '', /^cart goes back to observe until .* \(team-legacy: no sidecar yet\)$/);
    });
    it('that have ended change nothing by themselves and hold the next stage', () => {
      const ended = rollout({
        advance: 'Automatic',
        exceptions: [{ workload: 'cart', upTo: 'observe', ...answered, until: T0 }],
      });
      const state = at('dry-run', excepted);
      const decision = decided(state, ended, evidence(T0 + 200 * HOUR));
      assert.equal(decision.state.intent, undefined);
      assert.deepEqual(decision.state.held, { cart: 'observe' });
      assert.ok(decision.desired?.some(({ metadata }) => metadata.name === 'rollout-permissive-cart'));
      assert.equal(
        decided(at('enforce', rollout()), ended, evidence(T0)).state.intent,
        undefined,
        'one that comes ended opens nothing',
      );
    });
    it('that are removed: the workload catches up one stage at a time, each with its gates', () => {
      const on = rollout({ advance: 'Automatic', rollback: { denials: 0, withinMs: MINUTE } });
      let state = at('enforce', excepted);
      assert.equal(
        decided(state, on, evidence(T0, { calls: [call(), plain()] })).state.intent,
        undefined,
        'plain text to it holds',
      );
      const seen: unknown[] = [];
      for (let hours = 0; hours < 400; hours += 24) {
        const now = T0 + hours * HOUR;
        const decision = decided(state, on, evidence(now));
        if (decision.state.intent !== undefined) seen.push(decision.state.intent.held['cart'] ?? 'enforce');
        state = done(decision, on, now);
      }
      assert.deepEqual(seen, ['strict', 'dry-run', 'enforce']);
      assert.deepEqual(state.held, {});
    });
  });

  describe('a step that was not finished', () => {
    const on = rollout();
    const pending = (): RolloutState => decided(undefined, on, evidence(T0), advance()).state;
    it('is finished, the same', () => {
      const { state } = decided(pending(), on, evidence(T0 + MINUTE));
      assert.deepEqual(state.intent, pending().intent);
      assert.match(decided(pending(), on, evidence(T0 + 1), advance()).refusal?.error ?? '', /under way/);
    });
    it('is undone where it is old, since what it rested on is', () => {
      const { intent } = decided(pending(), on, evidence(T0 + 11 * MINUTE)).state;
      assert.deepEqual([intent?.transition.to, intent?.transition.cause, intent?.objects], ['observe', 'rollback-automatic', []]);
    });
    it('is undone by order, and where it refuses who was let through', () => {
      assert.equal(decided(pending(), on, evidence(T0 + 1), back()).state.intent?.transition.to, 'observe');
      const deniedSince = [
        denied(20, { principal: undefined, address: '10.1.2.3', method: undefined, path: undefined, refusedBy: 'transport' }),
      ];
      const found = evidence(T0 + 2, { calls: [call(), plain()], deniedSince });
      assert.equal(decided(pending(), on, found).state.intent?.transition.cause, 'rollback-automatic');
    });
    it('on its way back goes on however old it is, and further back by order', () => {
      const going = decided(at('enforce', on), on, evidence(T0), back()).state;
      assert.deepEqual(decided(going, on, evidence(T0 + 99 * HOUR)).state.intent, going.intent);
      assert.equal(decided(going, on, evidence(T0 + 1), back('observe')).state.intent?.transition.to, 'observe');
      assert.match(decided(going, on, evidence(T0 + 1), back()).refusal?.error ?? '', /already on its way back/);
    });
  });

  it('a state that was lost is what is there: nothing is opened, and nothing enforced that nobody knows', () => {
    const on = rollout({ advance: 'Automatic' });
    const dryRun = there(at('dry-run', on), evidence(T0 + 999 * HOUR));
    const { state, desired } = decided(undefined, on, dryRun);
    assert.deepEqual([state.stage, desired, state.intent], ['dry-run', undefined, undefined]);
    assert.match(decided(state, on, dryRun, advance({ force: true, reason: 'now' })).refusal?.error ?? '', /renew/);
    const enforced = there(at('enforce', on), evidence(T0));
    assert.equal(decided(undefined, on, enforced).state.stage, 'enforce');
  });
});

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

describe('the status of a rollout', () => {
  it('says where it is, what holds it, and what to type', () => {
    const on = rollout({ exceptions: [{ workload: 'old', upTo: 'observe', ...answered, until: T0 }] });
    const state = at('strict', on);
    const status = statusOf(on, state, evidence(T0), T0, 1);
    assert.deepEqual(
      [status.stage, status.next, status.command, status.history.length, status.history[0]?.to, status.exceptions[0]?.expired],
      ['strict', 'dry-run', 'gatehouse rollout advance shop', 1, 'strict', true],
    );
    assert.match(status.heldBy[0] ?? '', /^exceptions: .*old: ended 2026-11-18T03:00:00Z; ask team-legacy/);
  });
  it('at its target it has no gates and no command', () => {
    const { next, gates, heldBy, command } = statusOf(rollout(), at('enforce', rollout()), evidence(T0), T0);
    assert.deepEqual({ next, gates, heldBy, command }, { next: undefined, gates: [], heldBy: [], command: undefined });
  });
  it('at its target it still says what is not as the stage says', () => {
    const on = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered }] });
    const ended = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered, until: T0 }] });
    const peerAuthentications = [peerAuthentication('shop', 'mine', { mode: 'PERMISSIVE' })];
    const found = evidence(T0);
    const status = statusOf(ended, at('enforce', on), { ...found, configured: { ...found.configured, peerAuthentications } }, T0);
    assert.deepEqual(
      status.heldBy.map((text) => text.slice(0, text.indexOf(':'))),
      ['conflicts', 'exceptions'],
    );
  });
  it('is the same for the same: nothing in it depends on when it is asked but the time', () => {
    const found = evidence(T0, { configured: { ...evidence(T0).configured, workloads: [workload('cart'), workload('web')] } });
    assert.deepEqual(
      statusOf(rollout(), at('dry-run', rollout()), found, T0),
      statusOf(rollout(), at('dry-run', rollout()), found, T0),
    );
    assert.equal(suggested('cart').name, 'cart');
  });
});
