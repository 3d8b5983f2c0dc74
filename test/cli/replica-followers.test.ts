// Before a step of a rotation: whatever is in doubt about a replica is in the way.
import assert from 'node:assert/strict';
import { followersOfAll, type OwnFollowers } from '../../cli/serve/replica-followers.ts';
import type { OtherReplica } from '../../kubernetes/replicas/replicas.ts';

const OWN: OwnFollowers = {
  behind: [],
  connected: new Set(['spiffe://cluster.local/ns/shop/sa/a']),
  expected: new Set(),
  state: 'prepared now',
  bundle: 'b',
  nodes: ['sidecar~10.0.0.1~a-1.shop~x'],
  hasPod: (pod) => ['shop/a-1', 'shop/b-1', 'system/two'].includes(pod),
};
const NODE = 'sidecar~10.0.0.2~b-1.shop~x';
const GOOD: OtherReplica = {
  id: 'two',
  pod: '',
  revision: '',
  address: '',
  present: true,
  report: {
    answers: 'q',
    configuration: '',
    proxies: 1,
    objects: [],
    more: false,
    records: undefined,
    rollouts: {},
    rotation: {
      state: 'prepared now',
      bundle: 'b',
      settled: true,
      behind: [],
      connected: ['spiffe://cluster.local/ns/shop/sa/b'],
      nodes: [NODE],
    },
    log: undefined,
  },
};
const { report } = GOOD;
assert.ok(report);
const of = (...replicas: readonly OtherReplica[]) => followersOfAll(OWN, { question: 'q', replicas });
const inTheWay = (...replicas: readonly OtherReplica[]): string => {
  const found = of(...replicas);
  return [...(found.replicas ?? []), ...found.behind].map(({ detail }) => detail).join('; ');
};
const rotating = (change: Partial<typeof report.rotation>): OtherReplica => ({
  ...GOOD,
  report: { ...report, rotation: { ...report.rotation, ...change } },
});

describe('who follows the trust bundle at all replicas', () => {
  it('is nobody in the way where all have answered and have it', () => {
    assert.equal(inTheWay(GOOD), '');
    assert.deepEqual([...of(GOOD).connected].sort(), [
      'spiffe://cluster.local/ns/shop/sa/a',
      'spiffe://cluster.local/ns/shop/sa/b',
    ]);
  });

  it('is in the way what has not answered, is elsewhere, has just started, or has proxies behind', () => {
    assert.match(inTheWay({ ...GOOD, report: undefined }), /has not answered/);
    assert.match(inTheWay({ ...GOOD, report: { ...report, answers: 'an older question' } }), /has not answered/);
    assert.match(inTheWay(rotating({ state: 'steady before' })), /not at the same step/);
    assert.match(inTheWay(rotating({ bundle: 'another' })), /another trust bundle/);
    assert.match(inTheWay(rotating({ settled: false })), /just started/);
    assert.match(
      inTheWay(rotating({ behind: [{ node: NODE, identity: 'x', detail: 'has not answered yet' }] })),
      /not answered yet/,
    );
  });

  it('are in the way the proxies of a replica that is gone, until they are elsewhere or gone', () => {
    const gone: OtherReplica = { ...GOOD, present: false };
    assert.match(inTheWay(gone), /was connected to replica two/);
    const third: OtherReplica = { ...GOOD, id: 'three' };
    assert.equal(inTheWay(gone, third), '');
    assert.equal(followersOfAll({ ...OWN, hasPod: () => false }, { question: 'q', replicas: [gone] }).behind.length, 0);
  });

  it('is in the way a replica whose lease has ended while its Pod is there, unless its container was started again', () => {
    const cut: OtherReplica = { ...rotating({ nodes: [] }), present: false, pod: 'system/two' };
    assert.match(inTheWay(cut), /its Pod system\/two is there/);
    assert.equal(inTheWay(cut, { ...GOOD, id: 'again', pod: 'system/two' }), '');
  });
});
