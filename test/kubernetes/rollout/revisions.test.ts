// Two revisions of the control plane side by side: each decides about the rollouts of its own namespaces, and a namespace moves from one to the other.
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

const NET = '127.0.94';
const OWN = 'labelSelector=gatehouse.dev%2Frollout';
const [OLD, NEW] = ['1-0', '1-1'];

const nsr = (namespace: string): string => `/apis/gatehouse.dev/v1alpha1/namespaces/${namespace}/namespacerollouts/${namespace}`;

function rollout(namespace: string, gate: object, advance: string): object {
  return {
    apiVersion: 'gatehouse.dev/v1alpha1',
    kind: 'NamespaceRollout',
    metadata: { name: namespace, namespace },
    spec: { advance, gates: { strict: gate, dryRun: gate, enforce: gate }, rollback: { denials: 3, within: '10m' } },
  };
}

/** `NAMESPACE NUMBER: from to` of each step that a control plane says it took. */
function stepsOf({ serve }: Replica): readonly string[] {
  return serve.errors.split('\n').flatMap((line) => {
    if (!line.includes('"the rollout took a step"') && !line.includes('"the rollout was taken back"')) return [];
    const said: unknown = JSON.parse(line);
    return [
      `${String(at(said, 'namespace'))} ${String(at(said, 'number'))}: ${String(at(said, 'from'))} ${String(at(said, 'to'))}`,
    ];
  });
}

describe('rollouts with two revisions of the control plane side by side', function () {
  this.timeout(240_000);
  const api = withApiServer();
  let dir: string;
  let database: PostgresServer | undefined;
  let mesh: ReplicaMesh;
  let [older, newer]: Replica[] = [];

  const status = async (namespace: string, field: string): Promise<unknown> =>
    at((await api().request('GET', nsr(namespace))).body, 'status', field);
  const history = async (namespace: string): Promise<readonly unknown[]> => {
    const found = await status(namespace, 'history');
    return Array.isArray(found) ? found : [];
  };
  const until = <T>(what: string, found: () => Promise<T | undefined>): Promise<T> =>
    eventually(what, found, 60_000).catch(async (error: unknown) =>
      assert.fail(
        `${String(error)}\n${JSON.stringify(await Promise.all(['shop', 'red', 'blue'].map((name) => status(name, 'heldBy'))))}\n${mesh.replicas.map(({ serve }) => serve.errors.slice(-2500)).join('\n')}`,
      ),
    );
  const becomes = (namespace: string, stage: string): Promise<true> =>
    until(`${namespace} is at ${stage}`, async () => ((await status(namespace, 'stage')) === stage ? true : undefined));
  let orders = 0;
  const again: string[] = [];
  /** One that comes in the moment of a move is refused, and given again. */
  const order = async (action: string, to?: string, force = false): Promise<void> => {
    const id = `${action}-${++orders}`;
    const text = JSON.stringify({
      id,
      action,
      by: 'admin',
      reason: 'tried',
      ...(to !== undefined && { to }),
      ...(force && { force }),
    });
    await api().request('PATCH', nsr('shop'), { metadata: { annotations: { [ORDER_ANNOTATION]: text } } });
    const answer = await until(`${id} is answered`, async () => {
      const last = await status('shop', 'lastOrder');
      return at(last, 'id') === id && at(last, 'accepted') !== undefined ? last : undefined;
    });
    if (at(answer, 'accepted') === true) return;
    const message = String(at(answer, 'message'));
    assert.match(message, /; order again$/);
    again.push(message);
    await order(action, to, force);
  };
  const step = async (stage: string): Promise<void> => {
    await until(`nothing holds ${stage}`, async () => {
      const gates = await status('shop', 'gates');
      return Array.isArray(gates) && gates.length > 0 && gates.every((one) => at(one, 'met') === true) ? true : undefined;
    });
    await order('advance', stage);
    assert.equal(await status('shop', 'stage'), stage);
  };
  const label = async (namespace: string, revision: string | undefined): Promise<void> => {
    const labels = { 'istio.io/rev': revision ?? null };
    await api().request('PATCH', `/api/v1/namespaces/${namespace}`, { metadata: { labels } });
  };
  /** Each of the rollout's objects, with who wrote it when. */
  const written = async (): Promise<readonly string[]> => {
    const kinds = ['authorizationpolicies', 'peerauthentications'];
    const lists = await Promise.all(
      kinds.map((kind) => api().request('GET', `/apis/security.istio.io/v1/namespaces/shop/${kind}?${OWN}`)),
    );
    return lists
      .flatMap(({ body }) => {
        const items = at(body, 'items');
        return Array.isArray(items) ? items : [];
      })
      .map((one) => {
        const managed = at(one, 'metadata', 'managedFields');
        const writers = (Array.isArray(managed) ? managed : []).filter((entry) => at(entry, 'subresource') !== 'status');
        return `${String(at(one, 'metadata', 'name'))} ${JSON.stringify(writers)}`;
      })
      .sort();
  };
  const onceEach = (): void => {
    const all = mesh.replicas.flatMap(stepsOf).map((text) => text.split(':', 1)[0] ?? '');
    assert.deepEqual([...all].sort(), [...new Set(all)].sort());
  };

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    database = await PostgresServer.start();
    if (database === undefined) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-rollout-'));
    await api().apply(
      looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
      readFileSync(join(root, 'manifests', 'crds', 'namespacerollouts.yaml'), 'utf8'),
    );
    mesh = new ReplicaMesh(api(), dir, envoy, '--audit-db', (await database.place()).url, '--webhook-address', '127.0.0.1:0');
    await eventually('the definitions are served', async () =>
      (await api().request('GET', '/apis/security.istio.io/v1/peerauthentications')).status === 200 ? true : undefined,
    );
    await mesh.objects(NET);
    await api().kubectl(['delete', 'peerauthentication', 'default', '-n', 'shop']);
    await api().kubectl(['delete', 'pod', 'other-1', '-n', 'shop', '--force', '--grace-period=0']);
    for (const [name, revision] of [
      ['red', OLD],
      ['blue', NEW],
      ['shop', OLD],
    ] as const)
      await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'istio.io/rev': revision } } });
    older = mesh.start('a', '--revision', OLD);
    newer = mesh.start('b', '--revision', NEW);
    await mesh.join(older);
    // Its proxies stay with it: whoever decides hears of them by the store alone.
    await mesh.proxy(NET, 'web', older);
    await mesh.proxy(NET, 'client', older);
    await newer.serve.ready();
    await mesh.answered(NET);
  });
  after(async () => {
    await mesh?.stop();
    await database?.close();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  it('each decides about its own namespaces alone', async () => {
    const soon = { observedFor: '0s', requests: 0 };
    await api().apply(rollout('red', soon, 'Automatic'), rollout('blue', soon, 'Automatic'));
    await becomes('red', 'enforce');
    await becomes('blue', 'enforce');
    const [byOlder, byNewer] = [older, newer].map((one) => stepsOf(one ?? assert.fail()));
    const steps = ['1: observe strict', '2: strict dry-run', '3: dry-run enforce'];
    assert.deepEqual(
      byOlder,
      steps.map((text) => `red ${text}`),
    );
    assert.deepEqual(
      byNewer,
      steps.map((text) => `blue ${text}`),
    );
  });

  it('a namespace moves with its stage, its history and what it is armed for, and nothing is written again', async () => {
    await api().apply(rollout('shop', { observedFor: '1s', requests: 5 }, 'Manual'));
    const tally = await mesh.underTraffic(NET, async () => {
      await becomes('shop', 'observe');
      for (const stage of ['strict', 'dry-run', 'enforce']) await step(stage);
      const before = {
        stage: await status('shop', 'stage'),
        history: await history('shop'),
        armed: await status('shop', 'rollbackArmedUntil'),
        objects: await written(),
      };
      assert.equal(before.history.length, 3);
      assert.ok(before.armed);
      await label('shop', NEW);
      await until('the other revision has heard of it', () =>
        Promise.resolve(
          older?.serve.errors.includes('another revision decides about the rollout now') === true ? true : undefined,
        ),
      );
      // Answered by who decides now.
      await order('pause');
      await order('resume');
      const after = {
        stage: await status('shop', 'stage'),
        history: await history('shop'),
        armed: await status('shop', 'rollbackArmedUntil'),
        objects: await written(),
      };
      assert.deepEqual(after, before);
    });
    assert.deepEqual(tally.failures, []);
    onceEach();
  });

  it('it is taken back by the revision that it moved to, although its proxies are still with the other', async () => {
    await takesBackBadPolicy(api(), mesh, NET);
    await until('it stands in the history', async () =>
      at((await history('shop'))[0], 'cause') === 'rollback-automatic' ? true : undefined,
    );
    assert.equal(
      stepsOf(newer ?? assert.fail())
        .at(-1)
        ?.split(':', 1)[0],
      'shop 4',
    );
    await removeBadPolicy(api());
    onceEach();
  });

  it('steps are taken once, however often it moves meanwhile', async () => {
    const moving = { over: false };
    const moves = (async () => {
      for (let turn = 0; !moving.over; turn++) {
        await label('shop', turn % 2 === 0 ? OLD : NEW);
        await new Promise((resolve) => setTimeout(resolve, 700));
      }
    })();
    const first = (await history('shop')).length;
    const tally = await mesh.underTraffic(NET, async () => {
      try {
        for (const stage of ['observe', 'strict', 'observe'])
          await order(stage === 'strict' ? 'advance' : 'rollback', stage, stage === 'strict');
      } finally {
        moving.over = true;
        await moves;
      }
      await until('three steps are in the history', async () =>
        (await status('shop', 'transitions')) === first + 3 ? true : undefined,
      );
      await until('nothing is left', async () => ((await written()).length === 0 ? true : undefined));
    });
    process.stdout.write(`      ${again.length} orders given again\n`);
    assert.deepEqual(tally.failures, []);
    assert.deepEqual(
      (await history('shop')).map((one) => at(one, 'number')),
      Array.from({ length: first + 3 }, (_, index) => first + 3 - index),
    );
    onceEach();
  });
});
