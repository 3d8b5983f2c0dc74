// An installation that runs: the control plane with the arguments and the account that its Deployment gives it, and what is left of it afterwards.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crdObjects } from '../../cli/install/crds.ts';
import { installObjects } from '../../kubernetes/install/objects.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { at, withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';

const NAMESPACE = DEFAULTS.namespace;
const objects = installObjects({ ...DEFAULTS, crds: 'own' }, crdObjects('own'));

/** Set for a test: where things are kept and listened for, and what a container finds in its file system. */
const ELSEWHERE = /^--(?:grpc-address|http-address|webhook-address|ca-dir|audit-db|mesh-config)=/;

describe('an installation that runs', function () {
  this.timeout(180_000);
  const api = withApiServer();
  let dir: string;
  let serve: RunningServe;

  before(async function () {
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gh-installed-'));
    const namespaces = [NAMESPACE, 'istio-system', 'shop'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    }));
    await api().apply(...namespaces, looseDefinition('networking.istio.io', 'VirtualService'));
    const text = objects.map((object) => JSON.stringify(object)).join('\n---\n');
    const applied = await api().kubectl(['apply', '--server-side', '-f', '-'], { input: text });
    assert.equal(applied.code, 0, applied.stderr);
    await eventually('the account is there', async () =>
      (await api().request('GET', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/gatehouse`)).status === 200 ? true : undefined,
    );
    const container = await api().kubectl([
      ...['get', 'deployment', 'gatehouse', '-n', NAMESPACE],
      ...['-o', 'jsonpath={.spec.template.spec.containers[0].args}'],
    ]);
    const [command, ...args]: string[] = JSON.parse(container.stdout);
    assert.equal(command, 'serve');
    const mesh = await api().request('GET', `/api/v1/namespaces/${NAMESPACE}/configmaps/gatehouse`);
    const meshConfig = join(dir, 'mesh.yaml');
    writeFileSync(meshConfig, String(at(mesh.body, 'data', 'mesh.yaml')));
    const own = args.filter((arg) => !ELSEWHERE.test(arg));
    const kubeconfig = await api().kubeconfigFor(NAMESPACE, 'gatehouse');
    const here = ['--kubeconfig', kubeconfig, '--system-namespace', NAMESPACE, '--webhook-address', '127.0.0.1:0'];
    serve = new RunningServe([...own, ...here], dir, '--mesh-config', meshConfig);
    await serve.ready();
  });
  after(async () => {
    await serve?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  it('leads, and has put the bundle of its webhooks where the API server looks', async () => {
    await eventually('this replica leads', () => (serve.errors.includes('this replica leads') ? true : undefined));
    for (const name of [
      'mutatingwebhookconfigurations/gatehouse-injector',
      'validatingwebhookconfigurations/gatehouse-validator',
    ])
      await eventually(`${name} has a bundle`, async () => {
        const { stdout } = await api().kubectl(['get', name, '-o', 'jsonpath={.webhooks[*].clientConfig.caBundle}']);
        return stdout.trim() === '' ? undefined : true;
      });
  });

  it('keeps its CA in its own namespace, and the bundle in all', async () => {
    const secret = await api().request('GET', `/api/v1/namespaces/${NAMESPACE}/secrets/gatehouse-ca`);
    assert.equal(secret.status, 200);
    await eventually('the bundle is there', async () =>
      (await api().request('GET', '/api/v1/namespaces/shop/configmaps/istio-ca-root-cert')).status === 200 ? true : undefined,
    );
  });

  it('says of an object what became of it', async () => {
    await api().apply({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { hosts: ['web'], http: [{ timeout: '3s', route: [{ destination: { host: 'web' } }] }] },
    });
    await eventually('its status is written', async () => {
      const { stdout } = await api().kubectl([
        'get',
        'virtualservice',
        'web',
        '-n',
        'shop',
        '-o',
        'jsonpath={.status.conditions}',
      ]);
      return stdout.includes('"status"') ? true : undefined;
    });
  });

  it('was allowed all that it did', () => {
    assert.doesNotMatch(serve.errors, /forbidden/i);
  });

  it('leaves nothing when it is deleted', async () => {
    await serve.stop();
    const text = objects.map((object) => JSON.stringify(object)).join('\n---\n');
    await api().kubectl(['delete', '--ignore-not-found', '-f', '-'], { input: text });
    const kinds =
      'configmaps,secrets,leases,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations';
    await eventually(
      'nothing is left',
      async () => {
        const { stdout } = await api().kubectl(['get', kinds, '-A', '--no-headers', '-o', 'name']);
        return stdout.includes('gatehouse') || stdout.includes('istio-ca-root-cert') ? undefined : true;
      },
      90_000,
    );
  });
});
