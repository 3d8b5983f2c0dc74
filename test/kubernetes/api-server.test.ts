import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { at, withApiServer } from './api-server.ts';

describe('the Kubernetes API of tests', function () {
  this.timeout(120_000);
  const api = withApiServer();

  it('takes objects from kubectl and makes what controllers make', async function () {
    if (!api().hasControllers) return this.skip();
    await api().apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'cart', namespace: 'shop' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: 'cart' } },
          template: { metadata: { labels: { app: 'cart' } }, spec: { containers: [{ name: 'cart', image: 'cart' }] } },
        },
      },
    );
    const names = await eventually('the Deployment has Pods', async () => {
      const { stdout } = await api().kubectl(['get', 'pods', '-n', 'shop', '-o', 'name']);
      const found = stdout.trim().split('\n');
      return found.length === 2 ? found : undefined;
    });
    assert.match(names[0] ?? '', /^pod\/cart-/);
    const root = await api().kubectl(['get', 'configmap', 'kube-root-ca.crt', '-n', 'shop', '-o', 'jsonpath={.data}']);
    assert.match(root.stdout, /BEGIN CERTIFICATE/);
  });

  it('gives ServiceAccounts tokens that it knows again, and refuses what RBAC does not allow', async () => {
    await api().apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'caller', namespace: 'default' } });
    const token = await api().token('default', 'caller', { audiences: ['istio-ca'] });
    const { body } = await api().request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: ['istio-ca'] },
    });
    assert.equal(at(body, 'status', 'user', 'username'), 'system:serviceaccount:default:caller');
    const kubeconfig = await api().kubeconfigFor('default', 'caller');
    const refused = await api().kubectl(['get', 'secrets'], { kubeconfig });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Forbidden/);
  });

  it('answers nothing while it is paused, and goes on', async () => {
    api().pause();
    const asked = api().request('GET', '/readyz');
    const first = await Promise.race([asked.then(() => 'answered'), setTimeout(300, 'silent')]);
    api().resume();
    assert.equal(first, 'silent');
    assert.equal((await asked).status, 200);
  });

  it('comes back with its data after it was killed', async () => {
    await api().apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kept', namespace: 'default' },
      data: { a: 'b' },
    });
    const { url } = api();
    await api().kill();
    await assert.rejects(api().request('GET', '/readyz'));
    await api().start();
    assert.equal(api().url, url);
    const { body } = await api().request('GET', '/api/v1/namespaces/default/configmaps/kept');
    assert.equal(at(body, 'data', 'a'), 'b');
  });
});
