// What a rollout stands on in a cluster, each by itself, against a real API server.
import assert from 'node:assert/strict';
import pino from 'pino';
import { apiClient, type ApiClient } from '../../../kubernetes/api/client.ts';
import { clusterAccess } from '../../../kubernetes/api/connect.ts';
import { accessObjects } from '../../../kubernetes/install/access.ts';
import { DEFAULTS } from '../../../kubernetes/install/options.ts';
import { validator } from '../../../kubernetes/install/webhooks.ts';
import { ClusterObjects } from '../../../kubernetes/rollout/objects.ts';
import { ORDER_ANNOTATION } from '../../../kubernetes/rollout/order.ts';
import { Orders } from '../../../kubernetes/rollout/orders.ts';
import { ClusterRecords } from '../../../kubernetes/rollout/records.ts';
import { statusFields } from '../../../kubernetes/rollout/status.ts';
import { StatusKeeper } from '../../../kubernetes/rollout/status-keeper.ts';
import { ordersAreVouched } from '../../../kubernetes/rollout/vouched.ts';
import { WatchedRollouts } from '../../../kubernetes/rollout/watched.ts';
import type { RolloutObject, RolloutState } from '../../../policy/rollout/ports.ts';
import { initialState } from '../../../policy/rollout/state.ts';
import type { RolloutStatus, Transition } from '../../../policy/rollout/status.ts';
import { eventually } from '../../eventually.ts';
import { at, withApiServer } from '../api-server.ts';
import { looseDefinition } from '../definition.ts';

const SECURITY = '/apis/security.istio.io/v1/namespaces/shop';
const log = pino({ level: 'silent' });

const made = (kind: RolloutObject['kind'], name: string, spec: RolloutObject['spec'], dryRun = false): RolloutObject => ({
  apiVersion: 'security.istio.io/v1',
  kind,
  metadata: {
    name,
    namespace: 'shop',
    labels: { 'gatehouse.dev/rollout': 'shop' },
    ...(dryRun && { annotations: { 'istio.io/dry-run': 'true' } }),
  },
  spec,
});
const strict = made('PeerAuthentication', 'rollout-strict', { mtls: { mode: 'STRICT' } });
const users = (dryRun: boolean): RolloutObject =>
  made(
    'AuthorizationPolicy',
    'rollout-users',
    { selector: { matchLabels: { app: 'users' } }, action: 'ALLOW', rules: [{}] },
    dryRun,
  );
const nobody = (dryRun: boolean): RolloutObject => made('AuthorizationPolicy', 'rollout-allow-nothing', {}, dryRun);

const transition = (number: number): Transition => ({
  number,
  at: '2026-11-22T00:00:00.000Z',
  from: 'observe',
  to: 'strict',
  cause: 'command',
  by: 'mia',
  reason: `step ${number}`,
  gates: [],
  objects: Array.from({ length: 600 }, (_, index) => `AuthorizationPolicy shop/rollout-workload-${index}`),
});

describe('a rollout in a cluster stands on', function () {
  this.timeout(60_000);
  const api = withApiServer();
  let client: ApiClient;
  /** What is sent, in its order; the one of a number is not. */
  const sent: string[] = [];
  let failAt = 0;

  before(async () => {
    const open = { plural: 'authorizationpolicies' };
    await api().apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gatehouse-system' } },
      looseDefinition('security.istio.io', 'AuthorizationPolicy', open),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
      looseDefinition('gatehouse.dev', 'NamespaceRollout', { versions: ['v1alpha1'] }),
    );
    const real = apiClient(await clusterAccess({ file: api().kubeconfig, context: undefined }));
    client = {
      access: real.access,
      stream: (request) => real.stream(request),
      close: () => real.close(),
      async request(request) {
        if (request.method !== undefined) {
          if (failAt > 0 && sent.length + 1 === failAt) throw new Error('the process ends here');
          const name = request.path.split('?')[0]?.split('/').at(-1) ?? '';
          sent.push(`${request.method} ${name}`);
        }
        return real.request(request);
      },
    };
    await eventually('the definitions are served', async () => {
      const found = await Promise.all(
        [
          `${SECURITY}/authorizationpolicies`,
          `${SECURITY}/peerauthentications`,
          '/apis/gatehouse.dev/v1alpha1/namespacerollouts',
        ].map(async (path) => (await api().request('GET', path)).status),
      );
      return found.every((status) => status === 200) ? true : undefined;
    });
  });
  after(() => client?.close());
  beforeEach(() => {
    sent.length = 0;
    failAt = 0;
  });

  it('rights that an installation has with --rollouts enabled, and not without', async () => {
    const install = async (rollouts: 'enabled' | 'propose'): Promise<void> => {
      await api().apply(...accessObjects({ ...DEFAULTS, rollouts }));
      await eventually('the rights are known', async () => {
        const asked = ['auth', 'can-i', 'create', 'authorizationpolicies.security.istio.io', '-n', 'shop'];
        const { stdout } = await api().kubectl([...asked, '--as', `system:serviceaccount:${DEFAULTS.namespace}:gatehouse`]);
        return stdout.trim() === (rollouts === 'enabled' ? 'yes' : 'no') ? true : undefined;
      });
    };
    await install('propose');
    const file = await api().kubeconfigFor(DEFAULTS.namespace, 'gatehouse');
    const account = apiClient(await clusterAccess({ file, context: undefined }));
    try {
      const objects = new ClusterObjects(account);
      await assert.rejects(objects.write('shop', 'shop', [strict]), /cannot (?:patch|create) resource "peerauthentications"/);
      await install('enabled');
      await objects.write('shop', 'shop', [strict, users(false)]);
      await objects.setDryRun([{ namespace: 'shop', name: 'rollout-users' }]);
      await objects.write('shop', 'shop', []);
      const records = new ClusterRecords(account, DEFAULTS.namespace);
      await records.save({ ...initialState('other', 1000), revision: 1, history: [transition(1)] });
      assert.equal((await records.load('other'))?.history.length, 1);
    } finally {
      account.close();
    }
  });

  it('a webhook that vouches for who ordered, or knows that there is none', async () => {
    assert.equal(await ordersAreVouched(client), false);
    await api().apply(validator(DEFAULTS));
    assert.equal(await ordersAreVouched(client), true);
    await api().kubectl(['delete', 'validatingwebhookconfiguration', 'gatehouse-validator']);
  });

  describe('objects that', () => {
    const names = async (): Promise<string[]> => {
      const { stdout } = await api().kubectl(['get', 'authorizationpolicies,peerauthentications', '-n', 'shop', '-o', 'name']);
      return stdout
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((name) => name.split('/')[1] ?? '')
        .sort();
    };
    const state = async (name: string): Promise<unknown> =>
      (await api().request('GET', `${SECURITY}/authorizationpolicies/${name}`)).body;

    it('are applied in an order that is right in the middle, and refuse whoever is not named last of all', async () => {
      await new ClusterObjects(client).write('shop', 'shop', [nobody(true), users(true), strict]);
      assert.deepEqual(sent, ['PATCH rollout-strict', 'PATCH rollout-users', 'PATCH rollout-allow-nothing']);
      sent.length = 0;
      await new ClusterObjects(client).write('shop', 'shop', [nobody(false), users(false), strict]);
      assert.deepEqual(sent, ['PATCH rollout-users', 'PATCH rollout-allow-nothing']);
      assert.equal(at(await state('rollout-users'), 'metadata', 'annotations', 'istio.io/dry-run'), undefined);
      const managed = at(await state('rollout-users'), 'metadata', 'managedFields');
      assert.deepEqual(
        (Array.isArray(managed) ? managed : []).map((one) => at(one, 'manager')),
        ['gatehouse-rollout'],
      );
    });

    it('go back with what refuses whoever is not named first, and are not written again', async () => {
      const objects = new ClusterObjects(client);
      const wanted = [nobody(true), users(true), strict];
      assert.deepEqual(await objects.drift('shop', 'shop', wanted), [
        'AuthorizationPolicy shop/rollout-allow-nothing',
        'AuthorizationPolicy shop/rollout-users',
      ]);
      await objects.write('shop', 'shop', wanted);
      assert.deepEqual(sent.slice(0, 1), ['PATCH rollout-allow-nothing']);
      assert.deepEqual(await objects.drift('shop', 'shop', wanted), []);
      sent.length = 0;
      await objects.write('shop', 'shop', wanted);
      assert.deepEqual(sent, []);
      await objects.write('shop', 'shop', []);
      assert.deepEqual(sent, ['DELETE rollout-allow-nothing', 'DELETE rollout-strict', 'DELETE rollout-users']);
      assert.deepEqual(await names(), []);
    });

    it('are whole after an end at any step', async () => {
      const enforced = [nobody(false), users(false), strict];
      for (let step = 1; step <= 4; step += 1) {
        const objects = new ClusterObjects(client);
        await objects.write('shop', 'shop', [nobody(true), users(true)]);
        sent.length = 0;
        failAt = step;
        const ended = await objects.write('shop', 'shop', enforced).then(
          () => false,
          () => true,
        );
        failAt = 0;
        // Whoever it is that nobody names is refused only when all that name somebody are there.
        const closed = at(await state('rollout-allow-nothing'), 'metadata', 'annotations', 'istio.io/dry-run') === undefined;
        const open = at(await state('rollout-users'), 'metadata', 'annotations', 'istio.io/dry-run') === undefined;
        assert.ok(!closed || open, `step ${step}`);
        assert.equal(ended, step <= 3, `step ${step}`);
        await new ClusterObjects(client).write('shop', 'shop', enforced);
        assert.deepEqual(await objects.drift('shop', 'shop', enforced), []);
      }
      await new ClusterObjects(client).write('shop', 'shop', []);
    });

    it('are not taken from somebody else', async () => {
      const objects = new ClusterObjects(client);
      await api().apply(made('AuthorizationPolicy', 'rollout-users', { action: 'DENY', rules: [{}] }));
      await objects.write('shop', 'shop', []);
      await api().apply({ ...users(false), metadata: { name: 'rollout-users', namespace: 'shop' }, spec: { rules: [{}] } });
      await assert.rejects(objects.write('shop', 'shop', [users(false)]), /rollout-users: somebody else's/);
      await api().kubectl(['delete', 'authorizationpolicy', 'rollout-users', '-n', 'shop']);
      await objects.write('shop', 'shop', [users(false)]);
      const changed = JSON.stringify({ ...users(false), spec: { ...users(false).spec, action: 'DENY' } });
      const forced = ['apply', '--server-side', '--force-conflicts', '--field-manager', 'argo', '-f', '-'];
      assert.equal((await api().kubectl(forced, { input: changed })).code, 0);
      await assert.rejects(objects.write('shop', 'shop', [users(false)]), /conflict with "argo"/);
      await api().kubectl(['delete', 'authorizationpolicy', 'rollout-users', '-n', 'shop']);
    });

    it('set policies of others to dry-run by that annotation alone; what is gone is not made anew', async () => {
      await api().apply(made('AuthorizationPolicy', 'theirs', { action: 'DENY', rules: [{}] }));
      const failed = await new ClusterObjects(client).setDryRun([
        { namespace: 'shop', name: 'theirs' },
        { namespace: 'shop', name: 'gone' },
      ]);
      assert.deepEqual(failed, []);
      const { body } = await api().request('GET', `${SECURITY}/authorizationpolicies/theirs`);
      assert.equal(at(body, 'metadata', 'annotations', 'istio.io/dry-run'), 'true');
      assert.equal(at(body, 'spec', 'action'), 'DENY');
      await api().kubectl(['delete', 'authorizationpolicy', '--all', '-n', 'shop']);
      assert.deepEqual(await names(), []);
    });
  });

  describe('records that', () => {
    const record = (revision: number, transitions: number): RolloutState => ({
      ...initialState('shop', 1000),
      revision,
      stage: 'strict',
      objects: [strict],
      history: Array.from({ length: transitions }, (_, index) => transition(index + 1)),
    });

    it('are kept whole, with all transitions in bounded pieces', async () => {
      const records = new ClusterRecords(client, 'gatehouse-system');
      assert.equal(await records.load('shop'), undefined);
      await records.save(record(1, 0));
      await records.save(record(2, 120));
      await records.save(record(3, 121));
      const read = await new ClusterRecords(client, 'gatehouse-system').load('shop');
      assert.equal(read?.revision, 3);
      assert.equal(read.history.length, 121);
      assert.equal(read.history[120]?.reason, 'step 121');
      assert.deepEqual(read.objects, [strict]);
      const { stdout } = await api().kubectl([
        'get',
        'cm',
        '-n',
        'gatehouse-system',
        '-l',
        'gatehouse.dev/rollout-of=shop',
        '-o',
        'json',
      ]);
      const items = at(JSON.parse(stdout), 'items');
      assert.equal(Array.isArray(items) ? items.length : 0, 4);
      for (const item of Array.isArray(items) ? items : []) assert.ok(JSON.stringify(at(item, 'data')).length < 1_000_000);
    });

    it('are written by who read the last one only', async () => {
      const [one, other] = [new ClusterRecords(client, 'gatehouse-system'), new ClusterRecords(client, 'gatehouse-system')];
      await one.load('shop');
      await other.load('shop');
      await one.save(record(4, 121));
      await assert.rejects(other.save(record(4, 121)), /changed elsewhere/);
      await assert.rejects(other.save(record(9, 121)), /changed elsewhere/);
      await other.load('shop');
      await other.save(record(5, 121));
    });

    it('do not count a transition that was never done', async () => {
      const records = new ClusterRecords(client, 'gatehouse-system');
      await records.load('shop');
      // The history first, and then the end.
      failAt = 2;
      await assert.rejects(records.save(record(6, 122)), /the process ends here/);
      failAt = 0;
      const again = new ClusterRecords(client, 'gatehouse-system');
      assert.equal((await again.load('shop'))?.history.length, 121);
      await again.save(record(6, 122));
      assert.equal((await again.load('shop'))?.history.length, 122);
    });

    it('that are damaged are not taken for none', async () => {
      await api().kubectl([
        'patch',
        'cm',
        'gatehouse-rollout-shop',
        '-n',
        'gatehouse-system',
        '-p',
        '{"data":{"record":"AAAA"}}',
      ]);
      await assert.rejects(new ClusterRecords(client, 'gatehouse-system').load('shop'), /damaged/);
      await api().kubectl(['delete', 'cm', '--all', '-n', 'gatehouse-system']);
    });
  });

  describe('orders that', () => {
    const path = '/apis/gatehouse.dev/v1alpha1/namespaces/shop/namespacerollouts/shop';
    const status: RolloutStatus = {
      namespace: 'shop',
      name: 'shop',
      stage: 'strict',
      target: 'enforce',
      advance: 'Manual',
      paused: false,
      since: '2026-11-22T00:00:00.000Z',
      next: 'dry-run',
      gates: [],
      heldBy: ['requests: 3 of 100', 'proxies: 1 of 2'],
      command: undefined,
      exceptions: [],
      accepted: [],
      rollbackArmedUntil: undefined,
      history: Array.from({ length: 12 }, (_, index) => transition(12 - index)),
    };

    async function replica(
      act: () => Promise<{ accepted: boolean; message: string }>,
      leads = true,
    ): Promise<{ close: () => Promise<void>; keeper: StatusKeeper }> {
      const isLeader = (): boolean => leads;
      const keeper = new StatusKeeper({ client, log, isLeader, everyMs: 20 });
      const orders = new Orders({
        records: new ClusterRecords(client, 'gatehouse-system'),
        log,
        isLeader,
        settle: () => Promise.resolve(),
        isOurs: () => true,
        act,
        tell: ({ namespace, name }, last) => keeper.wantOrder(namespace, name, last),
      });
      const watched = new WatchedRollouts(client, (seen) => orders.seen(seen));
      return {
        keeper,
        async close() {
          watched.close();
          await orders.close();
          keeper.close();
        },
      };
    }
    const order = async (id: string, more: object = {}): Promise<void> => {
      const text = JSON.stringify({ id, action: 'advance', by: 'mia', ...more });
      const { code, stderr } = await api().kubectl([
        'annotate',
        '--overwrite',
        'namespacerollout',
        'shop',
        '-n',
        'shop',
        `${ORDER_ANNOTATION}=${text}`,
      ]);
      assert.equal(code, 0, stderr);
    };
    const answered = (id: string): Promise<unknown> =>
      eventually(`the order ${id} is answered`, async () => {
        const last = at((await api().request('GET', path)).body, 'status', 'lastOrder');
        return at(last, 'id') === id && at(last, 'accepted') !== undefined ? last : undefined;
      });

    before(async () => {
      await api().apply({
        apiVersion: 'gatehouse.dev/v1alpha1',
        kind: 'NamespaceRollout',
        metadata: { name: 'shop', namespace: 'shop' },
        spec: { target: 'enforce' },
      });
      await api().request('PATCH', `${path}/status`, { status: { conditions: [{ type: 'Accepted', status: 'True' }] } });
    });

    it('are acted on once, and answered in the status beside what others wrote there', async () => {
      let acted = 0;
      const act = (): Promise<{ accepted: boolean; message: string }> =>
        Promise.resolve({ accepted: true, message: `${(acted += 1)}` });
      const one = await replica(act);
      one.keeper.want('shop', 'shop', statusFields(status), true);
      await order('a');
      assert.deepEqual(await answered('a'), { id: 'a', accepted: true, message: '1' });
      await one.close();
      const other = await replica(act);
      await order('b');
      assert.deepEqual(await answered('b'), { id: 'b', accepted: true, message: '2' });
      await other.close();
      const { body } = await api().request('GET', path);
      assert.equal(at(body, 'status', 'stage'), 'strict');
      assert.equal(at(body, 'status', 'held'), 'requests: 3 of 100 (and 1 more)');
      const [conditions, history] = ['conditions', 'history'].map((field) => at(body, 'status', field));
      assert.ok(Array.isArray(conditions) && conditions.length === 1);
      assert.ok(Array.isArray(history) && history.length === 10);
      assert.equal(acted, 2);
    });

    it('are not acted on again when their status was lost', async () => {
      await api().request('PATCH', `${path}/status`, { status: { lastOrder: null } });
      const one = await replica(() => assert.fail('acted on again'));
      assert.deepEqual(await answered('b'), { id: 'b', accepted: true, message: '2' });
      await one.close();
    });

    it('of somebody who ends in the middle are answered by the next, and not given again', async () => {
      const dying = await replica(() => new Promise(() => undefined));
      await order('c');
      await eventually('it is taken', async () =>
        at((await api().request('GET', path)).body, 'status', 'lastOrder', 'id') === 'c' ? true : undefined,
      );
      // As after kill -9: its status was written, and nothing comes after.
      dying.keeper.close();
      const next = await replica(() => assert.fail('given again'));
      assert.match(String(at(await answered('c'), 'message')), /decides no more, before it was carried out/);
      await next.close();
      void dying.close();
    });

    it('that are none are told of', async () => {
      const one = await replica(() => assert.fail('acted on'));
      await api().kubectl(['annotate', '--overwrite', 'namespacerollout', 'shop', '-n', 'shop', `${ORDER_ANNOTATION}=please`]);
      assert.match(String(at(await answered(''), 'message')), /not JSON/);
      await one.close();
    });

    it('are told anew by who leads again, whatever others wrote meanwhile', async () => {
      const leads = { now: true, not: 0 };
      const keeper = new StatusKeeper({ client, log, isLeader: () => leads.now || leads.not++ < 0, everyMs: 20 });
      const stage = async (): Promise<unknown> => at((await api().request('GET', path)).body, 'status', 'stage');
      const want = (): void => keeper.want('shop', 'shop', statusFields(status), true);
      want();
      await eventually('it is written', async () => ((await stage()) === 'strict' ? true : undefined));
      leads.now = false;
      const live = (await api().request('GET', path)).body;
      const others = { ...(live as object), status: { ...statusFields(status), stage: 'dry-run' } };
      assert.equal((await api().request('PUT', `${path}/status`, others)).status, 200);
      await eventually('a round sees that it does not lead', () => Promise.resolve(leads.not > 0 ? true : undefined));
      assert.equal(await stage(), 'dry-run');
      leads.now = true;
      want();
      await eventually('it is written again', async () => ((await stage()) === 'strict' ? true : undefined));
      keeper.close();
    });

    it('wait where nobody leads', async () => {
      const follower = await replica(() => assert.fail('acted on'), false);
      await order('d');
      await follower.close();
      const one = await replica(() => Promise.resolve({ accepted: false, message: 'held' }));
      assert.deepEqual(await answered('d'), { id: 'd', accepted: false, message: 'held' });
      await one.close();
    });
  });
});
