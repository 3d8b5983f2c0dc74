// Bookinfo from nothing to enforced by itself, under steady traffic of which not one request may fail. A job that ran six days ago is
// neither forgotten nor cut off.
import assert from 'node:assert/strict';
import { openStore } from '../../audit/store/open.ts';
import { type EdgeKey, NOTHING } from '../../audit/model/edge.ts';
import { eventually } from '../eventually.ts';
import { BARE_BOOKINFO, bookinfoFlows } from './rollout/bookinfo.ts';
import { RolloutCommands, rolloutObject } from './rollout/command.ts';
import { inPlainText, throughSidecar } from './rollout/pod.ts';
import { SteadyTraffic } from './rollout/steady.ts';
import { RunningMesh } from './running-mesh.ts';

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

describe('bookinfo rolls itself out under steady traffic', function () {
  this.timeout(180_000);
  let mesh: RunningMesh;
  let rollout: RolloutCommands;
  let traffic: SteadyTraffic | undefined;
  before('start bookinfo without policies', async () => {
    mesh = await RunningMesh.start(BARE_BOOKINFO, 'explicit');
    rollout = new RolloutCommands(mesh, 'default');
    traffic = new SteadyTraffic(bookinfoFlows(mesh));
  });
  after(async () => {
    await traffic?.stop();
    await mesh?.stop();
  });

  async function unharmed(): Promise<void> {
    assert.ok(traffic);
    const least = traffic.least;
    await eventually('more traffic of every kind', () => ((traffic?.least ?? 0) > least + 3 ? true : undefined), 30_000);
    assert.deepEqual(traffic.failures, [], mesh.log());
  }

  const wish = { namespace: 'default', advance: 'Automatic', observedFor: '5s', requests: 50 } as const;
  const weekly = () => throughSidecar(mesh, 'default/weekly-report', 'http://reviews:9080/reviews/7');

  /** A call of six days ago, kept as the control plane keeps calls. */
  async function sixDaysAgo(): Promise<void> {
    const at = Date.now() - 6 * DAY_MS;
    const store = await openStore({ engine: 'sqlite', file: mesh.auditFile }, () => new Date());
    const tally = { ...NOTHING, count: 2, statuses: [0, 0, 2, 0, 0, 0], firstSeen: at, lastSeen: at + 1000 } as const;
    await store.append({ edges: [{ key: WEEKLY, minute: Math.floor(at / 60_000), tally }], losses: [] });
    await store.close();
  }

  it('goes to the dry run by itself, with the evidence of each step', async () => {
    await sixDaysAgo();
    await mesh.apply(rolloutObject({ ...wish, enforceObservedFor: '168h' }), 'namespace-rollout.yaml');
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
    await mesh.apply(rolloutObject(wish), 'namespace-rollout.yaml');
    const { history } = await rollout.reaches('enforce', 90_000);
    assert.deepEqual([history[0]?.from, history[0]?.to, history[0]?.cause], ['dry-run', 'enforce', 'automatic']);
    await mesh.settled();
    assert.equal((await weekly()).status, 200);
    const intruder = await throughSidecar(mesh, 'default/weekly-report', 'http://ratings:9080/ratings/0');
    assert.deepEqual([intruder.status, intruder.body], [403, 'RBAC: access denied']);
    await unharmed();
    console.log(`      ${traffic?.worked} legitimate requests from nothing to enforced, none failed`);
  });

  it('what it wrote are ordinary objects, one for each workload', async () => {
    const got = await mesh.gatehouse('get', 'authorizationpolicy', '-n', 'default', '--dir', mesh.dir);
    assert.equal(got.code, 0, got.stderr);
    for (const workload of ['productpage-v1', 'details-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3', 'ratings-v1'])
      assert.ok(got.stdout.includes(`rollout-${workload}`), got.stdout);
  });
});
