// Bookinfo from nothing to enforced by itself, under steady traffic of which not one request may fail. A job that ran six days ago is
// neither forgotten nor cut off. Wherever its objects are.
import assert from 'node:assert/strict';
import { type EdgeKey, NOTHING } from '../../../audit/model/edge.ts';
import { openStore } from '../../../audit/store/open.ts';
import { eventually } from '../../eventually.ts';
import type { Reply } from '../running-mesh.ts';
import { RolloutCommands, rolloutObject } from './command.ts';
import type { MeshUnderRollout } from './mesh-under-rollout.ts';
import { inPlainText } from './pod.ts';
import type { SteadyTraffic } from './steady.ts';

const DAY_MS = 86_400_000;
const WEEKLY: EdgeKey = {
  sourcePrincipal: 'spiffe://cluster.local/ns/default/sa/weekly-report',
  sourceWorkload: 'default/weekly-report',
  sourceAddress: '',
  destinationPrincipal: 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews',
  destinationWorkload: 'default/reviews-v1',
  service: 'reviews.default.svc.cluster.local',
  port: 9080,
  protocol: 'HTTP/1.1',
  method: 'GET',
  path: '/reviews/{id}',
  mtls: true,
  decision: 'ALLOW',
  verdict: 'allowed-no-policy',
  policy: '',
  rule: -1,
  detail: '',
  marks: '',
};

export interface BookinfoUnderRollout {
  readonly mesh: MeshUnderRollout;
  readonly traffic: SteadyTraffic;
}

/** @param bookinfo is asked once each test runs */
export function bookinfoIsRolledOut(bookinfo: () => BookinfoUnderRollout): void {
  async function unharmed(): Promise<void> {
    const { mesh, traffic } = bookinfo();
    const { least } = traffic;
    await eventually('more traffic of every kind', () => (traffic.least > least + 3 ? true : undefined), 30_000);
    assert.deepEqual(traffic.failures, [], mesh.log());
  }

  const wish = { namespace: 'default', advance: 'Automatic', observedFor: '5s', requests: 50 } as const;
  const weekly = (): Promise<Reply> => bookinfo().mesh.ask('default/weekly-report', 'http://reviews:9080/reviews/7');

  /** A call of six days ago, kept as the control plane keeps calls. */
  async function sixDaysAgo(): Promise<void> {
    const at = Date.now() - 6 * DAY_MS;
    const store = await openStore({ engine: 'sqlite', file: bookinfo().mesh.auditFile }, () => new Date());
    const tally = { ...NOTHING, count: 2, statuses: [0, 0, 2, 0, 0, 0], firstSeen: at, lastSeen: at + 1000 } as const;
    await store.append({ edges: [{ key: WEEKLY, minute: Math.floor(at / 60_000), tally }], losses: [] });
    await store.close();
  }

  it('goes to the dry run by itself, with the evidence of each step', async () => {
    const { mesh } = bookinfo();
    const rollout = new RolloutCommands(mesh, 'default');
    await sixDaysAgo();
    await mesh.put('namespace-rollout', rolloutObject({ ...wish, enforceObservedFor: '168h' }));
    const { history } = await rollout.reaches('dry-run', 90_000);
    assert.deepEqual(
      history.map(({ from, to, cause, by }) => [from, to, cause, by]),
      [
        ['strict', 'dry-run', 'automatic', 'gatehouse'],
        ['observe', 'strict', 'automatic', 'gatehouse'],
      ],
    );
    for (const { gates } of history) assert.ok(gates.length > 3 && gates.every(({ met }) => met), JSON.stringify(gates));
    assert.equal(await inPlainText(mesh, 'default/ratings-v1', '/ratings/0', 'GET', 9080), '');
    await unharmed();
  });

  it('waits a week before it enforces, so that weekly callers are seen; the one of six days ago is in the policy', async () => {
    const { mesh } = bookinfo();
    const rollout = new RolloutCommands(mesh, 'default');
    const held = await eventually('the gate of a week to hold', async () => {
      const status = await rollout.status();
      return status.heldBy.some((text) => text.includes('168h') || text.includes('7d') || text.includes('observed'))
        ? status
        : undefined;
    });
    assert.ok(held.gates.some(({ gate, met }) => gate === 'observed-for' && !met));
    const plan = await rollout.run('plan', '-o', 'yaml');
    assert.equal(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, /weekly-report/);
    assert.equal((await weekly()).status, 200);
    const status = await rollout.status();
    assert.ok(
      status.gates.some(({ gate, met }) => gate === 'would-be-denied' && met),
      JSON.stringify(status.gates),
    );
    await unharmed();
  });

  it('enforces by itself once its gates are open: not one legitimate request failed, and the weekly job works', async () => {
    const { mesh, traffic } = bookinfo();
    const rollout = new RolloutCommands(mesh, 'default');
    await mesh.put('namespace-rollout', rolloutObject(wish));
    const { history } = await rollout.reaches('enforce', 90_000);
    assert.deepEqual([history[0]?.from, history[0]?.to, history[0]?.cause], ['dry-run', 'enforce', 'automatic']);
    await mesh.settled();
    assert.equal((await weekly()).status, 200);
    const intruder = await mesh.ask('default/weekly-report', 'http://ratings:9080/ratings/0');
    assert.deepEqual([intruder.status, intruder.body], [403, 'RBAC: access denied']);
    await unharmed();
    console.log(`      ${traffic.worked} legitimate requests from nothing to enforced, none failed`);
  });

  it('what it wrote are ordinary objects, one for each workload', async () => {
    const { mesh } = bookinfo();
    const policies = await mesh.policies('default');
    for (const workload of ['productpage-v1', 'details-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3', 'ratings-v1'])
      assert.ok(policies.includes(`rollout-${workload}`), policies);
  });
}
