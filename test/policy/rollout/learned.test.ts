import assert from 'node:assert/strict';
import type { AcceptedCalls } from '../../../mesh/model/namespace-rollout.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { learning } from '../../../policy/rollout/learned.ts';

const SUPPORT = 'spiffe://cluster.local/ns/shop/sa/support';

function call(destination: string, principal: string | undefined = SUPPORT): ObservedCall {
  return {
    principal,
    address: principal === undefined ? '10.0.0.9' : undefined,
    caller: undefined,
    destination,
    service: undefined,
    port: 8080,
    protocol: 'HTTP',
    method: 'GET',
    path: '/',
    mtls: principal !== undefined,
    decision: 'ALLOW',
    denied: undefined,
    wouldDeny: [],
    count: 1,
    firstSeen: 0,
    lastSeen: 0,
    days: undefined,
  };
}

const entry = (kind: AcceptedCalls['kind'], workload: string, until: number): AcceptedCalls => ({
  kind,
  from: { principal: SUPPORT.slice('spiffe://'.length), namespace: undefined, ipBlock: undefined },
  to: { workload, port: undefined },
  owner: 'security',
  reason: 'a break-in',
  until,
});

describe('a rollout learns from calls', () => {
  const calls = [call('shop/users'), call('shop/fraud'), call('shop/website', undefined)];
  const learned = (...accepted: readonly AcceptedCalls[]): readonly string[] =>
    calls.filter(learning({ accepted })).map(({ destination }) => destination);

  it('all of them, where nobody answers for a refusal', () => {
    assert.deepEqual(learned(), ['shop/users', 'shop/fraud', 'shop/website']);
    assert.deepEqual(learned(entry('plain-text', 'fraud', 1)), ['shop/users', 'shop/fraud', 'shop/website']);
  });
  it('but those that are to be refused, also when the entry has ended', () => {
    for (const until of [Number.MAX_SAFE_INTEGER, 0])
      assert.deepEqual(learned(entry('denied', 'fraud', until)), ['shop/users', 'shop/website']);
  });
});
