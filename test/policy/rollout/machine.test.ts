import assert from 'node:assert/strict';
import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { RolloutState } from '../../../policy/rollout/state.ts';
import { statusOf } from '../../../policy/rollout/status-of.ts';
import { peerAuthentication } from '../model.ts';
import { MINUTE, own, there, denied } from './entered.ts';
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
  it('says what is accepted, with methods and paths, of many the first', () => {
    const from = { principal: undefined, namespace: 'legacy', ipBlock: undefined };
    const paths = ['/a', '/b', '/c', '/d'];
    const entry = { kind: 'denied' as const, from, to: { workload: 'cart', port: 80, methods: ['GET'], paths }, ...answered };
    assert.equal(
      statusOf(rollout({ accepted: [entry] }), at('strict', rollout()), evidence(T0), T0).accepted[0]?.text,
      'denied calls of namespace legacy to cart:80 GET /a|/b|/c|… (4): no sidecar yet',
    );
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
