// A rollout decided by two replicas of the control plane that share one PostgreSQL: the proxies of one tell what the other decides on.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ORDER_ANNOTATION } from '../../../kubernetes/rollout/order.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { PostgresServer } from '../../audit/store/postgres-server.ts';
import { eventually } from '../../eventually.ts';
import { root } from '../../house/repository.ts';
import { at, withApiServer } from '../api-server.ts';
import { looseDefinition } from '../definition.ts';
import { type Replica, ReplicaMesh } from '../replica-mesh.ts';
import { removeBadPolicy, takesBackBadPolicy } from './bad-policy.ts';

const NET = '127.0.92';
const NSR = '/apis/gatehouse.dev/v1alpha1/namespaces/shop/namespacerollouts/shop';
const POLICIES = '/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies';
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/gatehouse-rollouts';
/** Calls that nobody is to lose: what arrives at `web` is told to one replica, what arrives at `other` to the one that decides. */
const KEPT = [
  ['client', 'web'],
  ['client', 'other'],
] as const;

describe('a rollout decided by replicas that share one PostgreSQL', function () {
  this.timeout(240_000);
  const api = withApiServer();
  let dir: string;
  let database: PostgresServer | undefined;
  let mesh: ReplicaMesh;
  let leader: Replica;

  const status = async (field: string): Promise<unknown> => at((await api().request('GET', NSR)).body, 'status', field);
  const listed = async (field: string): Promise<readonly unknown[]> => {
    const found = await status(field);
    return Array.isArray(found) ? found : [];
  };
  const state = async (): Promise<string> =>
    `${JSON.stringify(at((await api().request('GET', NSR)).body, 'status'))}\n${mesh.replicas.map(({ serve }) => serve.errors.slice(-1500)).join('\n')}`;
  const until = <T>(what: string, found: () => Promise<T | undefined>): Promise<T> =>
    eventually(what, found, 60_000).catch(async (error: unknown) => assert.fail(`${String(error)}\n${await state()}`));
  const becomes = (stage: string): Promise<true> =>
    until(`the namespace is at ${stage}`, async () => ((await status('stage')) === stage ? true : undefined));
  let orders = 0;
  /** Gives an order, and waits for the answer to it. */
  const order = async (action: string, to?: string): Promise<void> => {
    const id = `${action}-${++orders}`;
    const text = JSON.stringify({ id, action, by: 'admin', reason: 'tried', ...(to !== undefined && { to }) });
    await api().request('PATCH', NSR, { metadata: { annotations: { [ORDER_ANNOTATION]: text } } });
    const answer = await until(`${id} is answered`, async () => {
      const last = await status('lastOrder');
      return at(last, 'id') === id && at(last, 'accepted') !== undefined ? last : undefined;
    });
    assert.equal(at(answer, 'accepted'), true, JSON.stringify(answer));
  };
  const isReady = (): Promise<true> =>
    until('all gates are met', async () => {
      const gates = await listed('gates');
      return gates.length > 0 && gates.every((one) => at(one, 'met') === true) ? true : undefined;
    });
  const step = async (stage: string): Promise<void> => {
    await isReady();
    await order('advance', stage);
    assert.equal(await status('stage'), stage);
    await until('every proxy has it', async () => {
      const gate = (await listed('gates')).find((one) => at(one, 'gate') === 'proxies');
      return gate === undefined || at(gate, 'met') === true ? true : undefined;
    });
  };
  const policy = async (name: string): Promise<unknown> => (await api().request('GET', `${POLICIES}/${name}`)).body;
  const holder = async (): Promise<unknown> => at((await api().request('GET', LEASE)).body, 'spec', 'holderIdentity');

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    database = await PostgresServer.start();
    if (database === undefined) return this.skip();
    const { url } = await database.place();
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-rollout-'));
    await api().apply(
      looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
      readFileSync(join(root, 'manifests', 'crds', 'namespacerollouts.yaml'), 'utf8'),
    );
    mesh = new ReplicaMesh(api(), dir, envoy, '--audit-db', url);
    await eventually('the definitions are served', async () =>
      (await api().request('GET', '/apis/security.istio.io/v1/peerauthentications')).status === 200 ? true : undefined,
    );
    await mesh.objects(NET, ['web', 'other']);
    await api().kubectl(['delete', 'peerauthentication', 'default', '-n', 'shop']);
    leader = mesh.start('a');
    await mesh.join(leader);
    await eventually('one of them decides', async () => ((await holder()) === undefined ? undefined : true));
    const second = mesh.start('b');
    await mesh.join(second);
    await mesh.proxy(NET, 'web', second);
    await mesh.proxy(NET, 'client', leader);
    await mesh.proxy(NET, 'other', leader);
    for (const [from, to] of KEPT)
      await eventually(
        `${from} reaches ${to}`,
        async () => ((await mesh.call(NET, from, to)) === undefined ? true : undefined),
        60_000,
      );
  });
  after(async () => {
    await mesh?.stop();
    await database?.close();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  it('goes to enforce under traffic on what both tell, and a caller that only the other one saw holds it', async () => {
    const gate = { observedFor: '1s', requests: 5 };
    await api().apply({
      apiVersion: 'gatehouse.dev/v1alpha1',
      kind: 'NamespaceRollout',
      metadata: { name: 'shop', namespace: 'shop' },
      spec: { gates: { strict: gate, dryRun: gate, enforce: gate }, rollback: { denials: 3, within: '10m' } },
    });
    const tally = await mesh.underTraffic(
      NET,
      async () => {
        await becomes('observe');
        await step('strict');
        await step('dry-run');
        for (const [from, to] of KEPT)
          assert.match(JSON.stringify(await policy(`rollout-${to}-1`)), new RegExp(`ns/shop/sa/${from}`), `${from} to ${to}`);
        assert.equal(await mesh.call(NET, 'other', 'web'), undefined, 'a dry run refuses nobody');
        await until('who was seen by the other replica holds it, and nothing else does', async () => {
          const open = (await listed('gates')).filter((one) => at(one, 'met') === false);
          return open.length === 1 &&
            at(open[0], 'gate') === 'would-be-denied' &&
            /sa\/other to shop\/web-1:8080 GET/.test(JSON.stringify(open))
            ? true
            : undefined;
        });
        await order('renew');
        assert.match(JSON.stringify(await policy('rollout-web-1')), /ns\/shop\/sa\/other/);
        await step('enforce');
        assert.equal(await mesh.call(NET, 'other', 'web'), undefined, 'it is let in now');
      },
      KEPT,
    );
    assert.deepEqual(tally.failures, []);
    assert.ok(tally.ok > 50, String(tally.ok));
    assert.match((await mesh.call(NET, 'web', 'other')) ?? 'answered', /^403/, 'it is enforced');
  });

  it('is taken back within 10 s, although the replica that decides is told of no refusal', async () => {
    await takesBackBadPolicy(api(), mesh, NET);
    await until('it stands in the history', async () =>
      at((await listed('history'))[0], 'cause') === 'rollback-automatic' ? true : undefined,
    );
    await removeBadPolicy(api());
  });

  it('is finished by the other where the one that decided was killed in the middle of a step', async () => {
    if ((await status('stage')) === 'enforce') await order('rollback', 'dry-run');
    const before = await holder();
    const tally = await mesh.underTraffic(
      NET,
      async () => {
        await isReady();
        const answered = order('advance', 'enforce');
        answered.catch(() => undefined);
        const enforced = async (): Promise<number> =>
          (await Promise.all(['client-1', 'other-1', 'web-1', 'allow-nothing'].map((name) => policy(`rollout-${name}`)))).filter(
            (one) => at(one, 'metadata', 'annotations', 'istio.io/dry-run') === undefined,
          ).length;
        for (const end = Date.now() + 30_000; Date.now() < end;)
          if (at(await policy('rollout-client-1'), 'metadata', 'annotations', 'istio.io/dry-run') === undefined) break;
        await mesh.kill(leader);
        process.stdout.write(`      killed with ${await enforced()} of 4 policies enforced\n`);
        await answered;
        await becomes('enforce');
        assert.equal(await enforced(), 4);
      },
      KEPT,
    );
    assert.deepEqual(tally.failures, []);
    assert.notEqual(await holder(), before);
    assert.deepEqual(await listed('heldBy'), []);
  });
});
