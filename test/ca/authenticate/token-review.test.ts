import { strict as assert } from 'node:assert';
import { tokenReviewVerifier, type TokenReviewStatus } from '../../../ca/authenticate/token-review.ts';
import { account, AUDIENCE, TD } from '../world.ts';

const GOOD: TokenReviewStatus = { authenticated: true, audiences: [AUDIENCE], user: { username: account('shop', 'cart') } };

describe('ca/authenticate: tokens that the Kubernetes API server reviews', () => {
  let [now, asked] = [Date.UTC(2026, 10, 21), 0];
  const verifier = (answer: () => Promise<TokenReviewStatus>, timeoutMs = 1000) =>
    tokenReviewVerifier({
      review: (_, audiences) => {
        asked++;
        assert.deepEqual(audiences, [AUDIENCE]);
        return answer();
      },
      audience: AUDIENCE,
      trustDomain: TD,
      clock: () => new Date(now),
      timeoutMs,
    });
  beforeEach(() => {
    [now, asked] = [Date.UTC(2026, 10, 21), 0];
  });

  it('name a service account and the pod that they are bound to', async () => {
    const extra = {
      'authentication.kubernetes.io/pod-name': ['cart-1'],
      'authentication.kubernetes.io/pod-uid': ['u1'],
      'authentication.kubernetes.io/node-name': ['n1'],
    };
    const caller = await verifier(() => Promise.resolve({ ...GOOD, user: { ...GOOD.user, extra } }))('t');
    assert.deepEqual(caller, {
      ok: true,
      value: {
        id: 'spiffe://cluster.local/ns/shop/sa/cart',
        evidence: { kind: 'token', subject: account('shop', 'cart') },
        pod: { namespace: 'shop', name: 'cart-1', uid: 'u1', node: 'n1' },
      },
    });
  });

  it('do not count without authentication, this audience and a service account', async () => {
    const wrong: readonly TokenReviewStatus[] = [
      {},
      { ...GOOD, authenticated: false },
      { ...GOOD, audiences: [] },
      { ...GOOD, audiences: undefined },
      { ...GOOD, audiences: ['other'] },
      { ...GOOD, user: undefined },
      { ...GOOD, user: { username: 'admin' } },
      { ...GOOD, user: { username: 'system:serviceaccount:a/b:c' } },
    ];
    for (const status of wrong) {
      const caller = await verifier(() => Promise.resolve(status))('t');
      assert.ok(!caller.ok && !('unavailable' in caller), JSON.stringify(status));
    }
  });

  it('are asked about once in ten seconds, also when many ask at once; refusals are not kept', async () => {
    const verify = verifier(() => Promise.resolve(GOOD));
    await Promise.all(Array.from({ length: 10 }, () => verify('t')));
    assert.equal(asked, 1);
    await verify('other');
    assert.equal(asked, 2);
    now += 10_000;
    await verify('t');
    assert.equal(asked, 3);
    now -= 60_000;
    await verify('t');
    assert.equal(asked, 4);
    const refusing = verifier(() => Promise.resolve({ authenticated: false }));
    await refusing('t');
    await refusing('t');
    assert.equal(asked, 6);
  });

  it('are unavailable, not wrong, while the API server is', async () => {
    for (const answer of [() => Promise.reject(new Error('refused')), () => new Promise<never>(() => {})]) {
      const caller = await verifier(answer, 20)('t');
      assert.ok(!caller.ok && 'unavailable' in caller);
    }
  });
});
