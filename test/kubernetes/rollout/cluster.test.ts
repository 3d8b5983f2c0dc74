// A namespace rolled out in a cluster: by a real API server, with real Envoys under traffic, by kubectl and by gatehouse.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validator } from '../../../kubernetes/install/webhooks.ts';
import { DEFAULTS } from '../../../kubernetes/install/options.ts';
import { ORDER_ANNOTATION } from '../../../kubernetes/rollout/order.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { eventually } from '../../eventually.ts';
import { root } from '../../house/repository.ts';
import { at, withApiServer } from '../api-server.ts';
import { looseDefinition } from '../definition.ts';
import { gatehouse, type Outcome, type Replica, ReplicaMesh } from '../replica-mesh.ts';
import { webhooksHere } from '../webhooks-here.ts';
import { removeBadPolicy, takesBackBadPolicy } from './bad-policy.ts';

const NET = '127.0.91';
const NSR = '/apis/gatehouse.dev/v1alpha1/namespaces/shop/namespacerollouts/shop';
const POLICIES = '/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies';
const OTHER = 'cluster.local/ns/shop/sa/other';
const gate = { observedFor: '1s', requests: 5 };

function rollout(namespace: string, spec: object): object {
  return {
    apiVersion: 'gatehouse.dev/v1alpha1',
    kind: 'NamespaceRollout',
    metadata: { name: namespace, namespace },
    spec: { gates: { strict: gate, dryRun: gate, enforce: gate }, rollback: { denials: 3, within: '10m' }, ...spec },
  };
}

describe('a namespace rolled out in a cluster', function () {
  this.timeout(240_000);
  const api = withApiServer();
  let dir: string;
  let mesh: ReplicaMesh;
  let first: Replica;

  const status = async (field: string): Promise<unknown> => at((await api().request('GET', NSR)).body, 'status', field);
  const command = (name: string, ...args: readonly string[]): Promise<Outcome> =>
    gatehouse('rollout', name, ...args, '--kubeconfig', api().kubeconfig);
  const ok = async (name: string, ...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await command(name, ...args);
    assert.equal(
      code,
      0,
      `${stdout}${stderr}\n${(await api().kubectl(['get', 'nsr', '-n', 'shop', '-o', 'jsonpath={.items[0].status.heldBy} {.items[0].status.lastOrder}'])).stdout}\n${first.serve.errors.slice(-1500)}`,
    );
    return stdout;
  };
  const answered = (id: string): Promise<unknown> =>
    eventually(
      `the order ${id} is answered`,
      async () => {
        const last = await status('lastOrder');
        return at(last, 'id') === id && at(last, 'accepted') === true ? true : undefined;
      },
      60_000,
    ).catch(async (error: unknown) => assert.fail(`${String(error)}\n${JSON.stringify(await status('lastOrder'))}`));
  const owned = async (): Promise<string[]> => {
    const kinds = 'authorizationpolicies,peerauthentications';
    const { stdout } = await api().kubectl(['get', kinds, '-n', 'shop', '-l', 'gatehouse.dev/rollout=shop', '-o', 'name']);
    return stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((name) => name.split('/')[1] ?? '')
      .sort();
  };
  const becomes = (stage: string): Promise<unknown> =>
    eventually(`the namespace is at ${stage}`, async () => ((await status('stage')) === stage ? true : undefined), 60_000).catch(
      async (error: unknown) =>
        assert.fail(
          `${String(error)}\n${(await api().kubectl(['get', 'nsr', '-n', 'shop', '-o', 'jsonpath={.items[0].status.heldBy} {.items[0].status.lastOrder}'])).stdout}\n${mesh.replicas.map(({ serve }) => serve.errors.slice(-1500)).join('\n')}`,
        ),
    );

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-rollout-'));
    await api().apply(
      looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
      readFileSync(join(root, 'manifests', 'crds', 'namespacerollouts.yaml'), 'utf8'),
    );
    mesh = new ReplicaMesh(api(), dir, envoy, '--webhook-address', '127.0.0.1:0');
    await eventually('the definitions are served', async () =>
      (await api().request('GET', '/apis/security.istio.io/v1/peerauthentications')).status === 200 ? true : undefined,
    );
    await mesh.objects(NET);
    await api().kubectl(['delete', 'peerauthentication', 'default', '-n', 'shop']);
    first = mesh.start('a');
    await mesh.join(first);
    const { rootCert } = await first.serve.ready();
    await api().apply(webhooksHere(validator(DEFAULTS), await first.serve.webhookPort(), rootCert));
    await mesh.proxy(NET, 'web');
    await mesh.proxy(NET, 'client');
    await mesh.proxy(NET, 'other');
    await mesh.answered(NET);
  });
  after(async () => {
    await mesh?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  /** Not one of the gates but this holds, and it names whom it is about. */
  const isHeld = (gateKind: string, who: RegExp): Promise<unknown> =>
    eventually(
      `${gateKind} holds`,
      async () => {
        const gates = await status('gates');
        const open = (Array.isArray(gates) ? gates : []).filter((one) => at(one, 'met') === false);
        return open.length === 1 && at(open[0], 'gate') === gateKind && who.test(JSON.stringify(open)) ? true : undefined;
      },
      60_000,
    ).catch(async (error: unknown) => assert.fail(`${String(error)}\n${JSON.stringify(await status('gates'))}`));
  const accepted: object[] = [];
  const accept = async (entry: object): Promise<void> => {
    accepted.push({ ...entry, owner: 'security@shop.example', reason: 'not of the shop', until: '2099-01-01' });
    const patch = JSON.stringify({ spec: { accepted } });
    const { code, stderr } = await api().kubectl(['patch', 'nsr', 'shop', '-n', 'shop', '--type', 'merge', '-p', patch]);
    assert.equal(code, 0, stderr);
  };

  it('goes from observe to enforce by commands, under traffic, and not one request fails; who would be cut off holds it and is named', async () => {
    const refused: number[] = [];
    const step = async (stage: string): Promise<void> => {
      await ok('wait', 'shop', '--for', 'ready', '--timeout', '60s');
      await ok('advance', 'shop', '--to', stage, '--reason', `seen at ${stage}`);
      await becomes(stage);
      await ok('wait', 'shop', '--for', 'applied', '--timeout', '60s');
    };
    await api().apply(rollout('shop', { target: 'enforce' }));
    const tally = await mesh.underTraffic(NET, async () => {
      await becomes('observe');
      assert.equal(await mesh.callInPlainText(NET), undefined, 'at observe nobody is refused');
      await isHeld('plain-text', /127\.0\.0\.1 to shop\/web-1/);
      await accept({ kind: 'PlainText', from: { ipBlock: '127.0.0.1' }, to: { workload: 'web-1' } });
      await step('strict');
      assert.notEqual(await mesh.callInPlainText(NET), undefined, 'strict refuses plain text');
      await step('dry-run');
      assert.equal(await mesh.call(NET, 'other'), undefined, 'a dry run refuses nobody');
      await isHeld('would-be-denied', /sa\/other to shop\/web-1:8080 GET \//);
      const { code, stderr } = await command('advance', 'shop', '--reason', 'in a hurry');
      assert.equal(code, 1);
      assert.match(stderr, /sa\/other/);
      // Forced through, the step itself refuses who was let through, and is taken back.
      await ok('advance', 'shop', '--force', '--reason', 'in a hurry');
      await becomes('enforce');
      const again = await eventually(
        'other is refused, and then let through again',
        async () => {
          const answered = (await mesh.call(NET, 'other')) === undefined;
          if (!answered) refused.push(performance.now());
          return answered && refused.length > 0 ? performance.now() : undefined;
        },
        60_000,
      );
      const [firstRefused = Number.NaN] = refused;
      assert.ok(again - firstRefused < 10_000, `${again - firstRefused} ms`);
      process.stdout.write(`      the step taken back ${Math.round(again - firstRefused)} ms after its first denial\n`);
      await becomes('dry-run');
      await accept({
        kind: 'Denied',
        from: { principal: OTHER },
        to: { workload: 'web-1' },
      });
      await step('enforce');
    });
    for (let tries = 0; tries < 5; tries++) assert.match((await mesh.call(NET, 'other')) ?? 'answered', /^403/);
    assert.notEqual(await mesh.callInPlainText(NET), undefined);
    assert.equal(await status('stage'), 'enforce', 'what is refused on purpose takes nothing back');
    const refusals = refused.length + 5;
    let told: unknown;
    await eventually('the report has each refusal', async () => {
      const { stdout } = await gatehouse(
        'audit',
        'edges',
        '--db',
        join(dir, 'a', 'audit.db'),
        '--identity',
        OTHER,
        '--verdict',
        'denied',
        '-o',
        'json',
      );
      const edges: unknown = JSON.parse(stdout);
      told = edges;
      const found = Array.isArray(edges) ? edges : [];
      assert.ok(found.every((edge) => at(edge, 'destination', 'workload') === 'shop/web-1'));
      return found.reduce((sum: number, edge) => sum + Number(at(edge, 'count')), 0) === refusals ? true : undefined;
    }).catch((error: unknown) => assert.fail(`${String(error)}\n${JSON.stringify(told)}`));
    assert.deepEqual(tally.failures, []);
    assert.ok(tally.ok > 50, String(tally.ok));
    assert.match(
      (await api().kubectl(['get', 'nsr', '-n', 'shop'])).stdout,
      /^NAME +STAGE +TARGET +HELD +AGE\nshop +enforce +enforce /,
    );
    assert.deepEqual(await owned(), [
      'rollout-allow-nothing',
      'rollout-client-1',
      'rollout-other-1',
      'rollout-strict',
      'rollout-web-1',
    ]);
    const history = await status('history');
    assert.ok(Array.isArray(history));
    const byItself = [['dry-run', 'gatehouse', 'rollback-automatic']];
    const byCommand = (stage: string): readonly string[] => [stage, 'admin', 'command'];
    assert.deepEqual(
      history.map((one) => [at(one, 'to'), at(one, 'by'), at(one, 'cause')]),
      [byCommand('enforce'), ...byItself, ...['enforce', 'dry-run', 'strict'].map(byCommand)],
    );
  });

  it('is taken back by itself, within 10 s, when a policy of somebody else refuses who was let through', async () => {
    await takesBackBadPolicy(api(), mesh, NET);
    const last = await eventually('it stands in the history', async () => {
      const history = await status('history');
      const [newest]: readonly unknown[] = Array.isArray(history) ? history : [];
      return at(newest, 'cause') === 'rollback-automatic' ? newest : undefined;
    });
    assert.equal(at(last, 'by'), 'gatehouse');
    await removeBadPolicy(api());
  });

  it('takes orders of who may patch it, in nobody else’s name', async () => {
    const kubeconfig = await api().kubeconfigFor('shop', 'other');
    const asOther = (...args: readonly string[]): Promise<Outcome> => gatehouse('rollout', ...args, '--kubeconfig', kubeconfig);
    const refused = await asOther('pause', 'shop');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /cannot list resource "namespacerollouts"/);
    const group = 'rbac.authorization.k8s.io';
    await api().apply(
      {
        apiVersion: `${group}/v1`,
        kind: 'Role',
        metadata: { name: 'rollout', namespace: 'shop' },
        rules: [{ apiGroups: ['gatehouse.dev'], resources: ['namespacerollouts'], verbs: ['get', 'list', 'patch'] }],
      },
      {
        apiVersion: `${group}/v1`,
        kind: 'RoleBinding',
        metadata: { name: 'rollout', namespace: 'shop' },
        roleRef: { apiGroup: group, kind: 'Role', name: 'rollout' },
        subjects: [{ kind: 'ServiceAccount', name: 'other', namespace: 'shop' }],
      },
    );
    const annotate = (order: object): Promise<Outcome> =>
      api()
        .kubectl(['annotate', '--overwrite', 'nsr', 'shop', '-n', 'shop', `${ORDER_ANNOTATION}=${JSON.stringify(order)}`], {
          kubeconfig,
        })
        .then(({ code, ...said }) => ({ code: code ?? 1, ...said }));
    const forged = await annotate({ id: 'forged', action: 'rollback', by: 'admin' });
    assert.notEqual(forged.code, 0);
    assert.match(forged.stderr, /"admin" is not who asks, "system:serviceaccount:shop:other"/);
    const paused = await asOther('pause', 'shop', '--reason', 'freeze');
    assert.equal(paused.code, 0, paused.stderr);
    assert.match(paused.stdout, /paused/);
    assert.equal(await status('paused'), true);
    // By hand.
    const own = await annotate({ id: 'by-hand', action: 'resume', by: 'system:serviceaccount:shop:other' });
    assert.equal(own.code, 0, own.stderr);
    await eventually('it goes on', async () => ((await status('paused')) === false ? true : undefined));
    await answered('by-hand');
  });

  it('is not decided on the records of one replica of several, says so, and goes on where a leader ended in the middle of a step', async () => {
    await ok('rollback', 'shop', '--reason', 'once more');
    await becomes('dry-run');
    const second = mesh.start('b');
    await mesh.join(second);
    await eventually(
      'the gates say so',
      async () => (JSON.stringify(await status('gates')).includes('with records of its own') ? true : undefined),
      60_000,
    );
    const held = await command('advance', 'shop');
    assert.equal(held.code, 1);
    assert.match(held.stderr, /held by record-complete/);
    await ok('advance', 'shop', '--force', '--reason', 'no PostgreSQL here');
    await becomes('enforce');
    await ok('wait', 'shop', '--for', 'applied', '--timeout', '60s');
    const tally = await mesh.underTraffic(NET, async () => {
      const order = { id: 'back', action: 'rollback', to: 'observe', by: 'admin', reason: 'the leader ends' };
      const { code, stderr } = await api().kubectl([
        'annotate',
        '--overwrite',
        'nsr',
        'shop',
        '-n',
        'shop',
        `${ORDER_ANNOTATION}=${JSON.stringify(order)}`,
      ]);
      assert.equal(code, 0, stderr);
      // The first of its objects, seen as soon as it is gone.
      for (const end = Date.now() + 30_000; Date.now() < end;)
        if ((await api().request('GET', `${POLICIES}/rollout-allow-nothing`)).status === 404) break;
      await mesh.kill(first);
      const left = await owned();
      process.stdout.write(`      killed with ${left.length} of 5 objects left\n`);
      await becomes('observe');
      await eventually('nothing is left', async () => ((await owned()).length === 0 ? true : undefined), 30_000);
    });
    assert.deepEqual(tally.failures, []);
    await answered('back');
    const { stdout } = await api().kubectl([
      'get',
      'cm',
      '-n',
      'istio-system',
      '-l',
      'gatehouse.dev/rollout-of=shop',
      '-o',
      'name',
    ]);
    assert.match(stdout, /gatehouse-rollout-shop.history-0/);
  });

  it('takes no order that no webhook vouches for', async () => {
    const { code, stderr } = await command('pause', 'shop');
    assert.equal(code, 1);
    assert.match(stderr, /webhook/);
  });

  it('that only proposes notices what somebody else applied', async () => {
    await api().kubectl(['patch', 'nsr', 'shop', '-n', 'shop', '--type', 'merge', '-p', '{"spec":{"advance":"Propose"}}']);
    await eventually('it proposes', async () => ((await status('advance')) === 'Propose' ? true : undefined), 30_000);
    const planned = await command('plan', 'shop', '-o', 'yaml');
    assert.equal(planned.code, 0, planned.stderr);
    const applied = await api().kubectl(['apply', '--server-side', '--field-manager', 'argo', '-f', '-'], {
      input: planned.stdout,
    });
    assert.equal(applied.code, 0, applied.stderr);
    await becomes('strict');
    const history = await status('history');
    assert.equal(at(Array.isArray(history) ? history[0] : undefined, 'cause'), 'noticed');
    const { body } = await api().request('GET', '/apis/security.istio.io/v1/namespaces/shop/peerauthentications/rollout-strict');
    const managed = at(body, 'metadata', 'managedFields');
    assert.deepEqual(
      (Array.isArray(managed) ? managed : []).filter((one) => at(one, 'operation') === 'Apply').map((one) => at(one, 'manager')),
      ['argo'],
    );
  });
});
