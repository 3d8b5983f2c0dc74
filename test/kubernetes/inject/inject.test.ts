import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { decide } from '../../../kubernetes/inject/decide.ts';
import { asJson, inject } from '../../../kubernetes/inject/inject.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from '../../../kubernetes/inject/json.ts';
import { settingsOfMeshConfig } from '../../../kubernetes/inject/mesh-settings.ts';
import { ownerOfPod, templatesIn } from '../../../kubernetes/inject/objects.ts';
import { annotationsOf, containersOf, type PodTemplate } from '../../../kubernetes/inject/pod.ts';
import { DEFAULT_SETTINGS, type InjectionSettings } from '../../../kubernetes/inject/settings.ts';
import { settingsOfValues } from '../../../kubernetes/inject/values.ts';
import { valuesIn } from '../../../kubernetes/inject/values-document.ts';

const OWNER = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cart' };

function injected(pod: PodTemplate, settings: InjectionSettings = DEFAULT_SETTINGS, namespaceAnnotations = {}): PodTemplate {
  const outcome = inject({ pod, owner: OWNER, namespace: 'shop', namespaceAnnotations, environment: {} }, settings);
  return outcome.ok ? asJson(outcome.pod) : assert.fail(outcome.reason);
}

function refusal(pod: PodTemplate, settings: InjectionSettings = DEFAULT_SETTINGS): string {
  const outcome = inject({ pod, owner: OWNER, namespace: 'shop', namespaceAnnotations: {}, environment: {} }, settings);
  return outcome.ok ? assert.fail('it was injected') : outcome.reason;
}

const podWith = (spec: JsonObject = {}, annotations: JsonObject = {}): PodTemplate => ({
  metadata: { labels: { app: 'cart' }, annotations },
  spec: { containers: [{ name: 'cart', image: 'cart' }], ...spec },
});

const proxyOf = (pod: PodTemplate) =>
  [...containersOf(pod, 'initContainers'), ...containersOf(pod)].find(({ name }) => name === 'istio-proxy') ??
  assert.fail('no proxy');

const variable = (pod: PodTemplate, name: string) =>
  textAt(listAt(proxyOf(pod), 'env').find((one) => one['name'] === name) ?? {}, 'value');

describe('injection', () => {
  it('a newer version takes the place of an older one: other settings, one more container, native or not', () => {
    const old = injected(podWith({ containers: [{ name: 'cart', image: 'cart', livenessProbe: { tcpSocket: { port: 80 } } }] }), {
      ...DEFAULT_SETTINGS,
      nativeSidecars: false,
      tag: 'old',
    });
    const more = {
      ...old,
      spec: {
        ...old.spec,
        containers: [
          ...containersOf(old),
          { name: 'new', image: 'new', livenessProbe: { httpGet: { path: '/live', port: 8008 } } },
        ],
      },
    };
    const now = injected(more, { ...DEFAULT_SETTINGS, tag: 'new' });
    assert.deepEqual(
      containersOf(now).map(({ name }) => name),
      ['cart', 'new'],
    );
    assert.deepEqual(
      containersOf(now, 'initContainers').map(({ name }) => name),
      ['istio-init', 'istio-proxy'],
    );
    assert.equal(proxyOf(now)['image'], 'gatehouse/proxy:new');
    assert.equal(variable(now, 'ISTIO_META_APP_CONTAINERS'), 'cart,new');
    assert.deepEqual(Object.keys(JSON.parse(variable(now, 'ISTIO_KUBE_APP_PROBERS') ?? '')), [
      '/app-health/cart/livez',
      '/app-health/new/livez',
    ]);
  });

  it("the author's own container under the proxy's name counts for more, also the second time", () => {
    const own = podWith({
      containers: [
        { name: 'cart', image: 'cart' },
        { name: 'istio-proxy', image: 'auto', resources: { limits: { cpu: '4' } }, env: [{ name: 'MINE', value: '1' }] },
      ],
    });
    const once = injected(own);
    assert.equal(proxyOf(once)['image'], 'gatehouse/proxy:0.1.0');
    assert.deepEqual(objectAt(objectAt(proxyOf(once), 'resources'), 'limits'), { cpu: '4', memory: '1024Mi' });
    assert.equal(variable(once, 'MINE'), '1');
    assert.equal(variable(once, 'TRUST_DOMAIN'), 'cluster.local');
    assert.deepEqual(injected(once), once);
  });

  it('done twice it is done once, for whatever pods there are', () => {
    const name = fc
      .stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/)
      .filter((text) => !text.startsWith('istio') && !/^(workload|credential)/.test(text));
    const port = fc.integer({ min: 1, max: 65_535 });
    const action = fc.oneof(
      fc.record({
        httpGet: fc.record(
          {
            path: fc.constantFrom('/', '/live'),
            port: fc.oneof(port, fc.constant('http')),
            scheme: fc.constantFrom('HTTP', 'HTTPS'),
          },
          { requiredKeys: ['port'] },
        ),
      }),
      fc.record({ tcpSocket: fc.record({ port }) }),
      fc.record({ grpc: fc.record({ port, service: fc.constantFrom('', 'shop') }, { requiredKeys: ['port'] }) }),
      fc.constant({ exec: { command: ['true'] } }),
    );
    const probe = fc
      .tuple(
        action,
        fc.record(
          { timeoutSeconds: fc.integer({ min: 1, max: 9 }), periodSeconds: fc.integer({ min: 1, max: 9 }) },
          { requiredKeys: [] },
        ),
      )
      .map(([what, rest]) => ({ ...what, ...rest }));
    const container = fc.record(
      {
        name,
        image: fc.constant('x'),
        ports: fc.constantFrom([], [{ name: 'http', containerPort: 80 }]),
        livenessProbe: probe,
        readinessProbe: probe,
        startupProbe: probe,
        lifecycle: fc.record({ preStop: action }),
      },
      { requiredKeys: ['name', 'image'] },
    );
    const annotations = fc.record(
      {
        'prometheus.io/scrape': fc.constantFrom('true', 'false'),
        'prometheus.io/port': fc.constantFrom('9090', '15020'),
        'prometheus.io/path': fc.constant('/m'),
        'prometheus.istio.io/scrape-targets': fc.constant('1:/a,2:/b'),
        'sidecar.istio.io/nativeSidecar': fc.constantFrom('true', 'false'),
        'sidecar.istio.io/interceptionMode': fc.constantFrom('REDIRECT', 'NONE'),
        'status.sidecar.istio.io/port': fc.constantFrom('0', '15020', '123'),
        'proxy.istio.io/config': fc.constantFrom('concurrency: 2', '{"holdApplicationUntilProxyStarts": true}'),
        'inject.istio.io/templates': fc.constantFrom('sidecar', 'gateway'),
        'sidecar.istio.io/userVolume': fc.constant('{"extra": {"emptyDir": {}}}'),
      },
      { requiredKeys: [] },
    );
    const list = fc.uniqueArray(container, { minLength: 1, maxLength: 3, selector: (one) => one.name });
    const seed = 20_261_121;
    fc.assert(
      fc.property(list, fc.option(list), annotations, fc.boolean(), (containers, init, notes, cni) => {
        const used = new Set(containers.map((one) => one.name));
        const initContainers = (init ?? [])
          .filter((one) => !used.has(one.name))
          .map(({ name: own, image }) => ({ name: own, image }));
        const json = (value: unknown): JsonObject => JSON.parse(JSON.stringify(value));
        const pod = podWith(
          json({ containers, ...(init === null ? {} : { initContainers }), volumes: [{ name: 'own', emptyDir: {} }] }),
          json(notes),
        );
        const settings: InjectionSettings = cni
          ? { ...DEFAULT_SETTINGS, captureBy: { kind: 'cni', multus: true } }
          : DEFAULT_SETTINGS;
        const once = injected(pod, settings);
        assert.deepEqual(injected(once, settings), once);
      }),
      { numRuns: 300, seed },
    );
  });

  it('annotations that cannot be meant refuse the pod, by name', () => {
    for (const [name, value] of [
      ['sidecar.istio.io/interceptionMode', 'TPROXY'],
      ['sidecar.istio.io/interceptionMode', 'redirect'],
      ['sidecar.istio.io/nativeSidecar', 'yes'],
      ['sidecar.istio.io/proxyCPU', 'lots'],
      ['sidecar.istio.io/logLevel', 'debug; rm'],
      ['sidecar.istio.io/userVolume', '[]'],
      ['status.sidecar.istio.io/port', '70000'],
      ['traffic.sidecar.istio.io/includeOutboundIPRanges', '10.0.0.0/8,everything'],
      ['traffic.sidecar.istio.io/excludeInterfaces', 'eth0 -j ACCEPT'],
      ['proxy.istio.io/config', '- 1'],
      ['proxy.istio.io/config', '{'],
      ['inject.istio.io/templates', 'none'],
    ] as const)
      assert.match(refusal(podWith({}, { [name]: value })), new RegExp(name.split('/')[1] ?? name), `${name}: ${value}`);
  });

  it('what has not the shape of a pod is refused', () => {
    assert.match(refusal({ metadata: { labels: { a: 1 } }, spec: { containers: [] } }), /labels/);
    assert.match(refusal({ metadata: {}, spec: { containers: [{ image: 'x' }] } }), /containers/);
    assert.match(refusal({ metadata: {}, spec: { containers: 'x' } }), /containers/);
    assert.match(refusal(podWith({ volumes: [1] })), /volumes/);
  });

  it('OpenShift: the last of the users that the namespace has', () => {
    const pod = injected(podWith(), DEFAULT_SETTINGS, { 'openshift.io/sa.scc.uid-range': '1000620000/10000' });
    assert.equal(objectAt(proxyOf(pod), 'securityContext')['runAsUser'], 1_000_629_999);
    assert.ok(JSON.stringify(pod.spec).includes('--proxy-uid=1000629999'));
  });

  it('variables of the ProxyConfig and of the webhook, which never hide our own', () => {
    const settings = settingsOfMeshConfig(
      {
        defaultConfig: { proxyMetadata: { STAGE: 'test', TRUST_DOMAIN: 'evil.example' }, discoveryAddress: 'cp.mesh.svc:15012' },
      },
      DEFAULT_SETTINGS,
    );
    const pod = injected(podWith({}, { 'proxy.istio.io/config': 'proxyMetadata: {STAGE: prod, DEEP: 1}' }), settings);
    assert.equal(variable(pod, 'STAGE'), 'prod');
    assert.equal(variable(pod, 'DEEP'), '1');
    assert.equal(variable(pod, 'TRUST_DOMAIN'), 'cluster.local');
    assert.equal(variable(pod, 'CA_ADDR'), 'cp.mesh.svc:15012');
  });

  it('values of Istio: a ConfigMap of a running installation, and templates', () => {
    const map = (values: object) => ({ kind: 'ConfigMap', data: { values: JSON.stringify(values) } });
    const read = valuesIn(map({ global: { proxy: { logLevel: 'debug' }, caAddress: 'ca:1' }, revision: 'r1' }));
    const settings = settingsOfValues(read.ok ? read.value : assert.fail(read.reason));
    assert.deepEqual([settings.proxyLogLevel, settings.controlPlane.address, settings.revision], ['debug', 'ca:1', 'r1']);
    assert.match(
      JSON.stringify(valuesIn({ sidecarInjectorWebhook: { templates: { x: 'spec: {{ .Values }}' } } })),
      /template language/,
    );
    const plain = valuesIn({
      sidecarInjectorWebhook: { templates: { debug: 'spec: {containers: [{name: istio-proxy, tty: true}]}' } },
    });
    const templated = settingsOfValues(plain.ok ? plain.value : assert.fail(plain.reason));
    const pod = injected(
      podWith({}, { 'sidecar.istio.io/nativeSidecar': 'false', 'inject.istio.io/templates': 'sidecar,debug' }),
      templated,
    );
    assert.equal(proxyOf(pod)['tty'], true);
    assert.equal(valuesIn([]).ok, false);
    assert.equal(valuesIn({ kind: 'ConfigMap' }).ok, false);
  });

  it('who owns a pod', () => {
    const of = (kind: string, name: string, labels: JsonObject = {}, apiVersion = 'apps/v1') => {
      const { name: found, kind: owner } = ownerOfPod({
        name: 'p',
        labels,
        ownerReferences: [{ apiVersion, kind, name, controller: true }],
      });
      return `${owner} ${found}`;
    };
    assert.equal(of('ReplicaSet', 'cart-7d9f', { 'pod-template-hash': '7d9f' }), 'Deployment cart');
    assert.equal(of('ReplicaSet', 'cart-7d9f'), 'ReplicaSet cart-7d9f');
    assert.equal(of('Job', 'backup-28391040', {}, 'batch/v1'), 'CronJob backup');
    assert.equal(of('Job', 'backup', {}, 'batch/v1'), 'Job backup');
    assert.equal(of('StatefulSet', 'db'), 'StatefulSet db');
    assert.equal(of('ReplicationController', 'web-3', { deploymentconfig: 'web' }, 'v1'), 'DeploymentConfig web');
    assert.deepEqual(ownerOfPod({ generateName: 'cart-' }), { apiVersion: 'v1', kind: 'Pod', name: 'cart' });
  });

  it('which pods: the network of the node and system namespaces never, labels before annotations', () => {
    const choice = (
      labels: JsonObject,
      annotations: JsonObject = {},
      policy: 'enabled' | 'disabled' = 'enabled',
      namespace = 'shop',
      spec: JsonObject = {},
    ) => decide({ metadata: { labels, annotations }, spec }, namespace, { policy, neverInject: [], alwaysInject: [] }).inject;
    assert.equal(choice({}), true);
    assert.equal(choice({}, {}, 'disabled'), false);
    assert.equal(choice({ 'gatehouse.dev/inject': 'false' }), false);
    assert.equal(choice({ 'gatehouse.dev/inject': 'true' }, {}, 'disabled'), true);
    assert.equal(choice({ 'sidecar.istio.io/inject': 'true' }, {}, 'enabled', 'kube-system'), false);
    assert.equal(choice({ 'sidecar.istio.io/inject': 'true' }, {}, 'enabled', 'shop', { hostNetwork: true }), false);
    assert.equal(
      choice({ 'sidecar.istio.io/inject': 'maybe' }, { 'sidecar.istio.io/inject': 'false' }),
      true,
      'the label hides the annotation',
    );
  });

  it('templates of pods in all kinds that have them, also in lists', () => {
    const template = { spec: { containers: [] } };
    for (const [object, path] of [
      [{ kind: 'DaemonSet', spec: { template } }, 'spec.template'],
      [{ kind: 'CronJob', spec: { jobTemplate: { spec: { template } } } }, 'spec.jobTemplate.spec.template'],
      [{ kind: 'PodTemplate', template }, 'template'],
      [
        {
          kind: 'List',
          items: [
            { kind: 'Service', spec: {} },
            { kind: 'List', items: [{ kind: 'Pod', ...template }] },
          ],
        },
        'items.1.items.0',
      ],
    ] as const)
      assert.equal(templatesIn(object, 'default')[0]?.path.join('.'), path);
    assert.deepEqual(templatesIn({ kind: 'Service', spec: { template } }, 'default'), []);
    assert.deepEqual(templatesIn({ kind: 'Deployment', spec: {} }, 'default'), []);
  });

  it('status names what was added', () => {
    const status: unknown = JSON.parse(annotationsOf(injected(podWith()))['sidecar.istio.io/status'] ?? '');
    assert.ok(isObject(status));
    assert.deepEqual(status['initContainers'], ['istio-init', 'istio-proxy']);
    assert.equal(status['containers'], null);
  });
});
