import assert from 'node:assert/strict';
import {
  advance,
  type Facts,
  FIRST,
  type InUse,
  type Phase,
  rollback,
  type RotationState,
  signing,
  signingServer,
  trusted,
} from '../../../ca/rotation/state.ts';

const NONE: InUse = { count: 0, until: undefined, identities: [] };
const now = new Date('2026-11-21T12:00:00Z');
const later = new Date(now.getTime() + 3600_000);
const earlier = new Date(now.getTime() - 3600_000);
const SOME: InUse = { count: 3, until: later, identities: ['spiffe://cluster.local/ns/shop/sa/cart'] };
const CLEAR: Facts = {
  now,
  replicas: [],
  behind: [],
  away: [],
  settledAt: earlier,
  inUse: { old: NONE, next: NONE },
  nextValid: { notBefore: earlier, notAfter: later },
};
const BEHIND = { node: 'sidecar~10.0.0.1~cart-0.shop~cluster.local', identity: 'x', detail: 'has not answered' };
const at = (phase: Exclude<Phase, 'steady'>): RotationState => ({ phase, old: 1, next: 2 });

function moved(move: ReturnType<typeof advance>): RotationState {
  assert.ok(move.ok && move.blockers.length === 0, JSON.stringify(move));
  return move.to;
}

const kindsOf = (move: ReturnType<typeof advance>): readonly string[] =>
  move.ok ? move.blockers.map(({ kind }) => kind) : ['refused'];

describe('the states of a root rotation', () => {
  it('run from a steady root to a steady root, and nothing is trusted that did not sign or will', () => {
    let state: RotationState = at('prepared');
    const seen: unknown[] = [];
    for (;;) {
      seen.push([state.phase, signing(state), signingServer(state), [...trusted(state)]]);
      if (state.phase === 'steady') break;
      state = moved(advance(state, CLEAR));
    }
    assert.deepEqual(seen, [
      ['prepared', 1, 1, [1, 2]],
      ['active', 2, 1, [2, 1]],
      ['retiring', 2, 2, [2]],
      ['steady', 2, 2, [2]],
    ]);
  });

  it('go back, step by step, to the old root', () => {
    let state: RotationState = at('retiring');
    const seen: Phase[] = [];
    for (;;) {
      seen.push(state.phase);
      if (state.phase === 'steady') break;
      state = moved(rollback(state, CLEAR));
    }
    assert.deepEqual(seen, ['retiring', 'active', 'prepared', 'steady']);
    assert.equal(signing(state), 1);
  });

  it('every state trusts whoever signs, for workloads and for the server', () => {
    for (const state of [FIRST, at('prepared'), at('active'), at('retiring')]) {
      assert.ok(trusted(state).includes(signing(state)), state.phase);
      assert.ok(trusted(state).includes(signingServer(state)), state.phase);
    }
  });

  it('no step forward while somebody has not acknowledged the bundle', () => {
    for (const phase of ['prepared', 'active', 'retiring'] as const) {
      assert.deepEqual(kindsOf(advance(at(phase), { ...CLEAR, behind: [BEHIND] })), ['not-acknowledged'], phase);
      assert.deepEqual(kindsOf(advance(at(phase), { ...CLEAR, away: ['x'] })), ['not-connected'], phase);
      assert.deepEqual(kindsOf(advance(at(phase), { ...CLEAR, settledAt: later })), ['settling'], phase);
    }
  });

  it('the old root leaves the bundle only after its certificates', () => {
    assert.deepEqual(kindsOf(advance(at('active'), { ...CLEAR, inUse: { old: SOME, next: NONE } })), ['certificates-in-use']);
    assert.deepEqual(kindsOf(advance(at('active'), { ...CLEAR, inUse: { old: NONE, next: SOME } })), []);
  });

  it('the new root leaves it after a rollback only after its certificates', () => {
    assert.deepEqual(kindsOf(rollback(at('prepared'), { ...CLEAR, inUse: { old: NONE, next: SOME } })), ['certificates-in-use']);
    assert.deepEqual(kindsOf(rollback(at('prepared'), { ...CLEAR, inUse: { old: SOME, next: NONE } })), []);
  });

  it('a root that is not valid now does not become the signer', () => {
    const future = { ...CLEAR, nextValid: { notBefore: later, notAfter: later } };
    const over = { ...CLEAR, nextValid: { notBefore: earlier, notAfter: earlier } };
    assert.deepEqual(kindsOf(advance(at('prepared'), future)), ['root-not-valid']);
    assert.deepEqual(kindsOf(advance(at('prepared'), over)), ['root-not-valid']);
  });

  it('there is no step where no rotation is under way', () => {
    assert.deepEqual(kindsOf(advance(FIRST, CLEAR)), ['refused']);
    assert.deepEqual(kindsOf(rollback(FIRST, CLEAR)), ['refused']);
  });
});
