import { strict as assert } from 'node:assert';
import type { Caller, CallerPod } from '../../../ca/authenticate/caller.ts';
import { nodeProxies, type PlacedPod } from '../../../ca/authenticate/node-proxies.ts';
import { workloadSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { TD } from '../world.ts';

const pod = (namespace: string, name: string, serviceAccount: string, uid?: string): PlacedPod => ({
  namespace,
  name,
  serviceAccount,
  uid,
});
const NODES: Readonly<Record<string, readonly PlacedPod[]>> = {
  n1: [pod('istio-system', 'ztunnel-1', 'ztunnel', 'z1'), pod('shop', 'cart-1', 'cart'), pod('shop', 'other', 'ztunnel')],
  n2: [pod('istio-system', 'ztunnel-2', 'ztunnel', 'z2'), pod('shop', 'pay-1', 'pay')],
};
const impersonate = nodeProxies({
  trusted: new Set(['istio-system/ztunnel']),
  placement: {
    podsOnNode: (node) => NODES[node] ?? [],
    nodeOf: (namespace, name) =>
      Object.entries(NODES).find(([, pods]) => pods.some((found) => found.namespace === namespace && found.name === name))?.[0],
  },
});
const CART = workloadSpiffeId(TD, 'shop', 'cart');
const ZTUNNEL_1: CallerPod = { namespace: 'istio-system', name: 'ztunnel-1', uid: 'z1' };

function caller(shown: CallerPod | undefined, serviceAccount = 'ztunnel', namespace = 'istio-system'): Caller {
  const id = workloadSpiffeId(TD, namespace, serviceAccount);
  return { id, evidence: { kind: 'token', subject: 'x' }, ...(shown && { pod: shown }) };
}

function answer(who: Caller, asked: string = CART): string {
  const granted = impersonate(who, asked);
  return granted.ok ? granted.value : `${granted.refusal.code}: ${granted.refusal.reason}`;
}

describe('ca/authenticate: node proxies', () => {
  it('get the identities of pods on their node', () => {
    assert.equal(answer(caller(ZTUNNEL_1)), CART);
    assert.equal(answer(caller({ ...ZTUNNEL_1, node: 'n1' })), CART);
    assert.equal(answer(caller({ namespace: 'istio-system', name: 'ztunnel-1' })), CART);
  });

  it('do not get those of other nodes, other trust domains or of no pod', () => {
    assert.match(answer(caller({ ...ZTUNNEL_1, name: 'ztunnel-2', uid: 'z2' })), /^forbidden: no pod on the caller's node/);
    assert.match(answer(caller(ZTUNNEL_1), 'spiffe://cluster.local/ns/shop/sa/pay'), /no pod on the caller's node/);
    assert.match(answer(caller(ZTUNNEL_1), 'spiffe://other/ns/shop/sa/cart'), /^forbidden/);
    assert.match(answer(caller(ZTUNNEL_1), 'spiffe://cluster.local/workload'), /^forbidden/);
    assert.match(answer(caller(ZTUNNEL_1), 'shop/cart'), /^invalid/);
  });

  it('must be trusted, and show a token of their own pod', () => {
    assert.match(answer(caller(ZTUNNEL_1, 'cart')), /no trusted node proxy/);
    assert.match(answer(caller(ZTUNNEL_1, 'ztunnel', 'shop')), /no trusted node proxy/);
    assert.match(answer(caller(undefined)), /bound to its pod/);
    for (const wrong of [
      { ...ZTUNNEL_1, uid: 'z0' },
      { ...ZTUNNEL_1, node: 'n2' },
      { ...ZTUNNEL_1, name: 'ztunnel-9' },
      { namespace: 'shop', name: 'cart-1' },
    ])
      assert.match(answer(caller(wrong)), /not known, or is another one/, JSON.stringify(wrong));
  });
});
