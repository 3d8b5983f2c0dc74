import assert from 'node:assert/strict';
import type { JsonObject } from '../../../kubernetes/inject/json.ts';
import { ORDER_ANNOTATION, orderText, parseOrder } from '../../../kubernetes/rollout/order.ts';
import { reviewOrder } from '../../../kubernetes/rollout/review-order.ts';
import type { AdmissionRequest } from '../../../kubernetes/webhook/review.ts';

const ORDER = { id: 'a-1', action: 'advance', by: 'mia', reason: 'quiet week' };
const text = (change: object = {}): string => JSON.stringify({ ...ORDER, ...change });

function rollout(order: string | undefined, status: JsonObject = {}): JsonObject {
  return {
    kind: 'NamespaceRollout',
    metadata: { name: 'shop', namespace: 'shop', ...(order !== undefined && { annotations: { [ORDER_ANNOTATION]: order } }) },
    status,
  };
}

function request(change: Partial<AdmissionRequest>): AdmissionRequest {
  return {
    uid: '1',
    kind: { group: 'gatehouse.dev', version: 'v1alpha1', kind: 'NamespaceRollout' },
    namespace: 'shop',
    name: 'shop',
    operation: 'UPDATE',
    object: rollout(text()),
    oldObject: rollout(undefined),
    username: 'mia',
    ...change,
  };
}

describe('an order to a rollout in a cluster', () => {
  it('is read as it was written', () => {
    const order = { kind: 'advance', by: 'mia', reason: 'seen', force: true, to: 'enforce' } as const;
    const read = parseOrder(orderText({ id: 'x.1_y', order }));
    assert.deepEqual(read, { ok: true, value: { id: 'x.1_y', order } });
  });

  for (const [what, written] of [
    ['no JSON', '{'],
    ['a list', '[]'],
    ['no id', text({ id: '' })],
    ['an id with a slash', text({ id: 'a/b' })],
    ['an action that is none', text({ action: 'open' })],
    ['a stage that is none', text({ to: 'closed' })],
    ['a force that is no truth', text({ force: 'yes' })],
    ['an override without a reason', text({ force: true, reason: ' ' })],
    ['a line break in the reason', text({ reason: 'a\nb' })],
    ['no user', text({ by: '' })],
    ['an unknown field', text({ until: 'noon' })],
    ['more than 4096 characters', text({ reason: 'x'.repeat(5000) })],
  ] as const)
    it(`is refused with ${what}`, () => {
      assert.equal(parseOrder(written).ok, false);
      assert.match(reviewOrder(request({ object: rollout(written) }))?.message ?? '', /rollout-order/);
    });

  it('is let in by whom it names alone', () => {
    assert.equal(reviewOrder(request({})), undefined);
    assert.match(reviewOrder(request({ username: 'eve' }))?.message ?? '', /"mia" is not who asks, "eve"/);
    assert.equal(reviewOrder(request({ username: '' }))?.allowed, false);
    assert.equal(reviewOrder(request({ operation: 'CREATE', oldObject: undefined, username: 'eve' }))?.allowed, false);
  });

  it('that stands there already is nobody’s business again', () => {
    assert.equal(reviewOrder(request({ oldObject: rollout(text()), username: 'eve' })), undefined);
    assert.equal(reviewOrder(request({ object: rollout(undefined), oldObject: rollout(text()), username: 'eve' })), undefined);
  });

  it('needs an id of its own', () => {
    const before = rollout(text({ reason: 'before' }), { lastOrder: { id: 'a-1', accepted: true } });
    assert.match(reviewOrder(request({ oldObject: before }))?.message ?? '', /was acted on already/);
  });

  it('is looked for in NamespaceRollouts alone', () => {
    const kind = { group: 'gatehouse.dev', version: 'v1alpha1', kind: 'RateLimit' };
    assert.equal(reviewOrder(request({ kind, username: 'eve' })), undefined);
  });
});
