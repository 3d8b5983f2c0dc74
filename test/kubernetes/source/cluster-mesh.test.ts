import assert from 'node:assert/strict';
import { pino } from 'pino';
import { fromKubeconfig } from '../../../kubernetes/api/kubeconfig.ts';
import { type ApiClient, apiClient } from '../../../kubernetes/api/client.ts';
import { watchCluster } from '../../../kubernetes/source/cluster-mesh.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import type { WatchedMesh } from '../../../mesh/source/watch.ts';
import { eventually } from '../../eventually.ts';
import { withApiServer } from '../api-server.ts';
import { looseDefinition } from '../definition.ts';

const NETWORKING = 'networking.istio.io';

function virtualService(name: string, weight: number | string, namespace = 'shop'): object {
  return {
    apiVersion: `${NETWORKING}/v1`,
    kind: 'VirtualService',
    metadata: { name, namespace },
    spec: { hosts: ['cart'], http: [{ route: [{ destination: { host: 'cart' }, weight }] }] },
  };
}

const settings = (mesh: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'istio', namespace: 'istio-system' },
  data: { mesh },
});

describe('a mesh from a cluster', function () {
  this.timeout(120_000);
  const api = withApiServer();
  let client: ApiClient;
  let mesh: WatchedMesh;
  let found: readonly Diagnostic[] = [];
  const names = (): readonly string[] => mesh.current().virtualServices.map(({ meta }) => meta.name);

  before(async () => {
    await api().apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
      settings('trustDomain: prod.test'),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'cart', namespace: 'shop' },
        spec: { selector: { app: 'cart' }, ports: [{ name: 'http', port: 80 }] },
      },
    );
    client = apiClient(await fromKubeconfig({ file: api().kubeconfig }));
    mesh = await watchCluster({
      client,
      log: pino({ level: 'silent' }),
      systemNamespace: 'istio-system',
      onDiagnostics: (all) => (found = all),
    });
  });
  after(() => {
    mesh?.close();
    client?.close();
  });

  it('has what is in the cluster when it is there', () => {
    const { services, namespaces, meshConfig } = mesh.current();
    assert.equal(String(meshConfig.trustDomain), 'prod.test');
    assert.ok(services.some(({ hostname }) => hostname === 'cart.shop.svc.cluster.local'));
    assert.ok(namespaces.some(({ name }) => name === 'shop'));
  });

  it('follows the settings in the ConfigMap of Istio, and keeps the last ones that could be used', async () => {
    await api().apply(settings('trustDomain: prod.test\nrootNamespace: config'));
    await eventually('the settings are in effect', () =>
      mesh.current().meshConfig.rootNamespace === 'config' ? true : undefined,
    );
    await api().apply(settings('rootNamespace: [1]'));
    await eventually('it is told that they cannot be used', () =>
      found.find(({ file, severity }) => file === 'configmaps/istio-system/istio' && severity === 'error'),
    );
    assert.equal(mesh.current().meshConfig.rootNamespace, 'config');
    await api().apply(settings('trustDomain: prod.test'));
    await eventually('the first are back', () => (mesh.current().meshConfig.rootNamespace === 'istio-system' ? true : undefined));
  });

  it('reads the ConfigMaps that something names, as they come to be named, and no others', async () => {
    const group = 'gateway.networking.k8s.io';
    const configMap = (name: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'shop' },
      data: { 'ca.crt': `of ${name}`, more: 'nobody reads it' },
    });
    const policy = (...refs: string[]) => ({
      apiVersion: `${group}/v1`,
      kind: 'BackendTLSPolicy',
      metadata: { name: 'cart', namespace: 'shop' },
      spec: {
        targetRefs: [{ group: '', kind: 'Service', name: 'cart' }],
        validation: {
          hostname: 'cart.test',
          caCertificateRefs: refs.map((name) => ({ group: '', kind: 'ConfigMap', name })),
        },
      },
    });
    const read = (): readonly string[] => mesh.current().configMaps.map(({ meta }) => meta.name);
    await api().apply(configMap('one'), configMap('two'), configMap('three'));
    await api().apply(looseDefinition(group, 'BackendTLSPolicy', { plural: 'backendtlspolicies' }));
    await eventually('the definition is served', async () => {
      const { code } = await api().kubectl(['apply', '-f', '-'], { input: JSON.stringify(policy('one')) });
      return code === 0 ? true : undefined;
    });
    await eventually('one is read', () => (read().includes('one') ? true : undefined));
    // A name that is none must not hold up anything.
    await api().apply(policy('two', 'three', 'a,b=c'));
    await eventually('two others are', () => (read().includes('two') && read().includes('three') ? true : undefined));
    await eventually('and the first is not any more', () => (read().includes('one') ? undefined : true));
    await api().kubectl(['delete', 'backendtlspolicy', '-n', 'shop', 'cart']);
    await eventually('none is', () => (read().length === 0 ? true : undefined));
  });

  it('picks up custom resources when their definitions come, and drops them when those are deleted', async () => {
    assert.deepEqual(names(), []);
    await api().apply(looseDefinition(NETWORKING, 'VirtualService'));
    await eventually('the definition is served', async () => {
      const { code } = await api().kubectl(['apply', '-f', '-'], { input: JSON.stringify(virtualService('cart', 100)) });
      return code === 0 ? true : undefined;
    });
    await eventually('the VirtualService is in effect', () => (names().includes('cart') ? true : undefined));
    await api().kubectl(['delete', 'crd', `virtualservices.${NETWORKING}`]);
    await eventually('the VirtualService is gone', () => (names().length === 0 ? true : undefined));
    await api().apply(looseDefinition(NETWORKING, 'VirtualService', { versions: ['v1beta1'] }));
    await eventually('a later definition in an older version is read too', async () => {
      const old = { ...virtualService('old', 100), apiVersion: `${NETWORKING}/v1beta1` };
      await api().kubectl(['apply', '-f', '-'], { input: JSON.stringify(old) });
      return names().includes('old') ? true : undefined;
    });
    await api().kubectl(['delete', 'crd', `virtualservices.${NETWORKING}`]);
    await eventually('that is gone too', () => (names().length === 0 ? true : undefined));
    await api().apply(looseDefinition(NETWORKING, 'VirtualService'));
    await eventually('it is there again', async () => {
      await api().kubectl(['apply', '-f', '-'], { input: JSON.stringify(virtualService('cart', 100)) });
      return names().includes('cart') ? true : undefined;
    });
  });

  it('keeps the last good version of an object that is refused, and says which object it is', async () => {
    await api().apply(virtualService('cart', 'most'));
    const error = await eventually('the refusal is told', () =>
      found.find(({ object, severity }) => object === 'VirtualService shop/cart' && severity === 'error'),
    );
    assert.equal(error.file, `virtualservices.${NETWORKING}/shop/cart`);
    assert.equal(error.field, 'spec.http[0].route[0].weight');
    assert.ok(found.some(({ code }) => code === 'last-good'));
    assert.deepEqual(names(), ['cart']);
    await api().kubectl(['delete', 'virtualservice', 'cart', '-n', 'shop']);
    await eventually('what was deleted is gone, last good version or not', () => (names().length === 0 ? true : undefined));
    await eventually('nothing is told of it', () => (found.some(({ object }) => object?.includes('cart')) ? undefined : true));
  });

  it('reads Pods with their owner, node and readiness', async () => {
    if (!api().hasControllers) return;
    await api().apply(
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n1', labels: { 'topology.kubernetes.io/region': 'r', 'topology.kubernetes.io/zone': 'z' } },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'cart', namespace: 'shop' },
        spec: {
          selector: { matchLabels: { app: 'cart' } },
          template: {
            metadata: { labels: { app: 'cart' } },
            spec: { nodeName: 'n1', containers: [{ name: 'app', image: 'cart:1', ports: [{ containerPort: 8080 }] }] },
          },
        },
      },
    );
    const pod = await eventually('the Pod is there', async () => {
      const { stdout } = await api().kubectl(['get', 'pods', '-n', 'shop', '-o', 'jsonpath={.items[0].metadata.name}']);
      return stdout === '' ? undefined : stdout;
    });
    const status = {
      phase: 'Running',
      podIP: '10.1.0.7',
      podIPs: [{ ip: '10.1.0.7' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    await api().request('PATCH', `/api/v1/namespaces/shop/pods/${pod}/status`, { status });
    const instance = await eventually(
      'the workload has its instance',
      () => mesh.current().workloads.find(({ name, namespace }) => name === 'cart' && namespace === 'shop')?.instances[0],
    );
    assert.equal(instance.address, '10.1.0.7');
    assert.equal(instance.ready, true);
    assert.equal(instance.node, 'n1');
    const { workloads } = mesh.current();
    await api().request('PATCH', `/api/v1/namespaces/shop/pods/${pod}/status`, {
      status: { conditions: [{ type: 'Ready', status: 'True', lastProbeTime: new Date().toISOString() }] },
    });
    await api().apply(virtualService('after', 100));
    await eventually('a later change is in effect', () => (names().includes('after') ? true : undefined));
    assert.equal(mesh.current().workloads, workloads, 'a heartbeat is no change');
  });

  it('keeps what it has while the API server is away, and sees what changed once it is back', async () => {
    await api().apply(virtualService('before', 100));
    await eventually('it is in effect', () => (names().includes('before') ? true : undefined));
    const last = mesh.current();
    await api().kill();
    await assert.rejects(client.request({ path: '/readyz' }));
    assert.equal(mesh.current(), last);
    await api().start();
    assert.equal(mesh.current(), last, 'a server that came back with the same objects changes nothing');
    await api().kubectl(['delete', 'virtualservice', 'before', '-n', 'shop']);
    await api().apply(virtualService('later', 100));
    await eventually(
      'changes are seen again',
      () => (names().includes('later') && !names().includes('before') ? true : undefined),
      60_000,
    );
  });

  it('notices a server that answers no more though its connections are open', async () => {
    const lost: string[] = [];
    const impatient = await watchCluster({
      client,
      log: pino({}, { write: (line) => void (line.includes('nothing came for') && lost.push(line)) }),
      systemNamespace: 'istio-system',
      idleMs: 2_000,
    });
    try {
      api().pause();
      try {
        await assert.rejects(client.request({ path: '/readyz', timeoutMs: 500 }));
        await eventually('its watches count as lost', () => (lost.length > 0 ? true : undefined));
      } finally {
        api().resume();
      }
      await api().apply(virtualService('awake', 100));
      const seen = (): boolean => impatient.current().virtualServices.some(({ meta }) => meta.name === 'awake');
      await eventually('changes are seen again', () => (seen() ? true : undefined), 60_000);
    } finally {
      impatient.close();
    }
  });
});
