import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { openAuthority, type Authority } from '../../../ca/authority.ts';
import { NOBODY } from '../../../ca/rotation/rotation.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { apiClient, type ApiClient } from '../../../kubernetes/api/client.ts';
import { clusterAccess } from '../../../kubernetes/api/connect.ts';
import { asJson, inject } from '../../../kubernetes/inject/inject.ts';
import type { JsonObject } from '../../../kubernetes/inject/json.ts';
import { DEFAULT_SETTINGS, type InjectionSettings } from '../../../kubernetes/inject/settings.ts';
import { DEFAULTS } from '../../../kubernetes/install/options.ts';
import { injector, validator } from '../../../kubernetes/install/webhooks.ts';
import { type RunningWebhooks, startWebhooks } from '../../../cli/serve/webhooks.ts';
import { eventually } from '../../eventually.ts';
import { root } from '../../house/repository.ts';
import { isPresent, SEEDS } from '../../shared-data.ts';
import { at, withApiServer } from '../api-server.ts';
import { looseDefinition } from '../definition.ts';
import { webhooksHere } from '../webhooks-here.ts';

const NAMESPACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'gatehouse-system': {},
  labelled: { 'istio-injection': 'enabled' },
  own: { 'gatehouse.dev/injection': 'enabled' },
  canary: { 'istio.io/rev': 'canary' },
  plain: {},
};

const pod = (namespace: string, name: string, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, ...metadata },
  spec: {
    containers: [
      {
        name: 'app',
        image: 'app',
        ports: [{ containerPort: 8080, name: 'http' }],
        readinessProbe: { httpGet: { path: '/ready', port: 'http' } },
      },
    ],
  },
});

const route = (name: string, spec: object): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name, namespace: 'plain' },
  spec,
});

describe('webhooks, asked by a real API server', function () {
  this.timeout(240_000);
  const api = withApiServer();
  let dir: string;
  let authority: Authority;
  let client: ApiClient;
  let webhooks: RunningWebhooks;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-webhooks-'));
    for (const [name, labels] of Object.entries(NAMESPACES))
      await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    if (api().hasControllers)
      await eventually('every namespace has its ServiceAccount', async () => {
        for (const name of Object.keys(NAMESPACES)) {
          const { status } = await api().request('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`);
          if (status !== 200) return undefined;
        }
        return true;
      });
    const log = pino({ level: 'silent' });
    const clock = (): Date => new Date();
    authority = await openAuthority({
      dir: join(dir, 'ca'),
      trustDomain: DEFAULT_MESH_CONFIG.trustDomain,
      clock,
      log,
    });
    client = apiClient(await clusterAccess({ file: api().kubeconfig, context: undefined }));
    webhooks = await startWebhooks(
      { address: { host: '127.0.0.1', port: 0 }, revision: 'default', proxyImage: 'registry.test/proxy:1', values: undefined },
      {
        cluster: { client, systemNamespace: 'gatehouse-system' },
        authority,
        meshConfig: () => DEFAULT_MESH_CONFIG,
        meshConfigFile: undefined,
        advertise: [],
        log,
      },
    );
    await api().apply(looseDefinition('networking.istio.io', 'VirtualService'));
    await install();
    await bundles();
  });
  after(async () => {
    await webhooks?.close();
    client?.close();
    await authority?.close();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  /** The configurations of the installation, asking this process in place of the Service. */
  async function install(): Promise<void> {
    for (const configuration of [injector(DEFAULTS), validator(DEFAULTS)])
      await api().apply(webhooksHere(configuration, webhooks.address.port));
  }

  async function bundles(): Promise<void> {
    await eventually('the configurations have the roots', async () => {
      await webhooks.look();
      const { body } = await api().request(
        'GET',
        '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gatehouse-injector',
      );
      return at(body, 'webhooks', '0', 'clientConfig', 'caBundle') === undefined ? undefined : true;
    });
  }

  async function made(namespace: string, name: string): Promise<unknown> {
    const { status, body } = await api().request('GET', `/api/v1/namespaces/${namespace}/pods/${name}`);
    assert.equal(status, 200);
    return body;
  }

  /** Whether a pod that kubectl makes there gets a proxy. */
  async function isInjected(namespace: string, name: string, metadata: object = {}): Promise<boolean> {
    await api().apply(pod(namespace, name, metadata));
    const text = JSON.stringify(await made(namespace, name));
    return text.includes('"name":"istio-proxy"');
  }

  it('a pod in a labelled namespace is injected: native sidecar, capture, probes, image of the installation', async () => {
    assert.equal(await isInjected('labelled', 'one'), true);
    const body = await made('labelled', 'one');
    assert.equal(at(body, 'spec', 'initContainers', '0', 'name'), 'istio-init');
    assert.equal(at(body, 'spec', 'initContainers', '1', 'name'), 'istio-proxy');
    assert.equal(at(body, 'spec', 'initContainers', '1', 'restartPolicy'), 'Always');
    assert.equal(at(body, 'spec', 'initContainers', '1', 'image'), 'registry.test/proxy:1');
    assert.equal(at(body, 'spec', 'containers', '0', 'readinessProbe', 'httpGet', 'path'), '/app-health/app/readyz');
    assert.match(JSON.stringify(body), /"CA_ADDR","value":"gatehouse\.gatehouse-system\.svc:15012"/);
  });

  it("which namespaces and pods: labels of both, ours and Istio's, revisions, opt-in and opt-out", async () => {
    const label = (value: string) => ({ labels: { 'sidecar.istio.io/inject': value } });
    assert.equal(await isInjected('own', 'one'), true);
    assert.equal(await isInjected('plain', 'one'), false);
    assert.equal(await isInjected('canary', 'one'), false, 'another revision');
    assert.equal(await isInjected('plain', 'asks', label('true')), true);
    assert.equal(await isInjected('labelled', 'opts-out', label('false')), false);
    assert.equal(await isInjected('labelled', 'annotated-out', { annotations: { 'sidecar.istio.io/inject': 'false' } }), false);
    assert.equal(await isInjected('plain', 'of-revision', { labels: { 'istio.io/rev': 'default' } }), true);
  });

  it('pods of a Deployment are named after it', async function () {
    if (!api().hasControllers) return this.skip();
    const { spec } = pod('labelled', 'x') as { readonly spec: object };
    await api().apply({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'cart', namespace: 'labelled' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'cart' } },
        template: { metadata: { labels: { app: 'cart' } }, spec },
      },
    });
    const text = await eventually('the Deployment has its pod', async () => {
      const { body } = await api().request('GET', '/api/v1/namespaces/labelled/pods?labelSelector=app%3Dcart');
      const found = JSON.stringify(body);
      return found.includes('istio-proxy') ? found : undefined;
    });
    assert.match(text, /"ISTIO_META_WORKLOAD_NAME","value":"cart"/);
    assert.match(text, /kubernetes:\/\/apis\/apps\/v1\/namespaces\/labelled\/deployments\/cart/);
  });

  it('a pod that cannot be injected is refused, and kubectl shows why', async () => {
    const bad = pod('labelled', 'bad', { annotations: { 'traffic.sidecar.istio.io/excludeInboundPorts': 'http' } });
    await assert.rejects(
      api().apply(bad),
      /cannot be injected: annotation traffic\.sidecar\.istio\.io\/excludeInboundPorts "http" is no port/,
    );
  });

  it('an object with an error is refused with the diagnostic of gatehouse validate; a warning is shown and lets it pass', async () => {
    const refused = api().apply(route('bad', { hosts: ['users'], http: [{ route: [{ destination: { hots: 'users' } }] }] }));
    await assert.rejects(refused, /denied the request: .*spec\.http\[0\]\.route\[0\]\.destination.*hots/);
    const shown = await api().apply(route('old', { hosts: ['users'], http: [{ route: [{ destination: { name: 'users' } }] }] }));
    assert.match(shown, /Warning: .*destination/);
    assert.match(shown, /created/);
    const clean = await api().apply(route('good', { hosts: ['users'], http: [{ route: [{ destination: { host: 'users' } }] }] }));
    assert.doesNotMatch(clean, /Warning/);
  });

  it('a gateway gets its proxy from its own template, in the place that its Deployment left for it', async () => {
    await api().apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'ingress',
        namespace: 'labelled',
        annotations: { 'inject.istio.io/templates': 'gateway' },
        labels: { istio: 'ingressgateway' },
      },
      spec: { containers: [{ name: 'istio-proxy', image: 'auto', ports: [{ containerPort: 8443 }] }] },
    });
    const body = await made('labelled', 'ingress');
    assert.equal(at(body, 'spec', 'initContainers'), undefined);
    assert.equal(at(body, 'spec', 'containers', '0', 'image'), 'registry.test/proxy:1');
    assert.match(JSON.stringify(at(body, 'spec', 'containers', '0', 'args')), /--pod=router/);
    assert.match(JSON.stringify(at(body, 'spec', 'containers', '0', 'ports')), /8443.*15090|15090.*8443/);
  });

  it('every form of injection is a pod that the API server takes', async () => {
    const forms: readonly (readonly [string, Partial<InjectionSettings>, Readonly<Record<string, string>>])[] = [
      ['native', {}, {}],
      ['container', { nativeSidecars: false }, {}],
      ['held', { nativeSidecars: false, holdApplication: true }, {}],
      ['cni', { captureBy: { kind: 'cni', multus: true } }, {}],
      ['nothing captured', {}, { 'sidecar.istio.io/interceptionMode': 'NONE' }],
      ['no probes', {}, { 'status.sidecar.istio.io/port': '0' }],
      [
        'all values',
        {
          coreDump: true,
          mountCertificates: true,
          imagePullPolicy: 'Always',
          imagePullSecrets: ['pull'],
          network: 'n1',
          logAsJson: true,
        },
        {},
      ],
      [
        'all annotations',
        {},
        {
          'sidecar.istio.io/proxyCPU': '10m',
          'sidecar.istio.io/proxyMemoryLimit': '1Gi',
          'sidecar.istio.io/userVolume': '{"extra":{"emptyDir":{}}}',
          'sidecar.istio.io/userVolumeMount': '{"extra":{"mountPath":"/extra"}}',
          'sidecar.istio.io/bootstrapOverride': 'bootstrap',
          'sidecar.istio.io/capNetBindService': 'true',
          'readiness.status.sidecar.istio.io/initialDelaySeconds': '3',
          'proxy.istio.io/config': 'concurrency: 2\nproxyMetadata: {A: b}',
          'prometheus.io/port': '9090',
          'traffic.sidecar.istio.io/excludeOutboundIPRanges': '10.0.0.0/8,fd00::/8',
        },
      ],
    ];
    for (const [form, settings, annotations] of forms) {
      const { spec } = pod('plain', 'x') as { readonly spec: JsonObject };
      const outcome = inject(
        {
          pod: { metadata: { annotations }, spec },
          owner: { apiVersion: 'v1', kind: 'Pod', name: 'form' },
          namespace: 'plain',
          namespaceAnnotations: {},
          environment: {},
        },
        { ...DEFAULT_SETTINGS, ...settings },
      );
      const { metadata, spec: made } = outcome.ok ? asJson(outcome.pod) : assert.fail(outcome.reason);
      const object = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'form', namespace: 'plain' }, spec: made };
      const { status, body } = await api().request(
        'POST',
        '/api/v1/namespaces/plain/pods?dryRun=All&fieldValidation=Strict',
        object,
      );
      assert.equal(status, 201, `${form}: ${JSON.stringify(at(body, 'message'))}`);
    }
  });

  it('an apply of the manifests does not end the trust: the bundle is put back', async () => {
    await api().request(
      'PATCH',
      '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gatehouse-injector',
      [{ op: 'remove', path: '/webhooks/2/clientConfig/caBundle' }],
      { contentType: 'application/json-patch+json' },
    );
    const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gatehouse-injector';
    await eventually('the bundle is put back by itself', async () =>
      typeof at((await api().request('GET', path)).body, 'webhooks', '2', 'clientConfig', 'caBundle') === 'string'
        ? true
        : undefined,
    );
    assert.equal(await isInjected('labelled', 'trusted'), true);
  });

  it('a renewed certificate is shown to new connections, and the API server goes on', async () => {
    const before = await serial(webhooks.address.port);
    await webhooks.renew();
    assert.notEqual(await serial(webhooks.address.port), before);
    assert.equal(await isInjected('labelled', 'renewed'), true);
  });

  it('while it is called, certificates are renewed and the root is changed: no call fails', async () => {
    const done = new AbortController();
    let made = 0;
    const failed: unknown[] = [];
    const caller = async (number: number): Promise<void> => {
      while (!done.signal.aborted) {
        const object = pod('labelled', `rotated-${number}`);
        const { status, body } = await api().request('POST', '/api/v1/namespaces/labelled/pods?dryRun=All', object);
        if (status !== 201 || !JSON.stringify(body).includes('istio-proxy')) failed.push(body);
        made += 1;
      }
    };
    const callers = [caller(1), caller(2), caller(3)];
    const some = async (): Promise<void> => {
      const from = made;
      await eventually('it is called', () => (made > from + 15 ? true : undefined));
    };
    const bundle = async (): Promise<string> => {
      const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gatehouse-injector';
      const found = at((await api().request('GET', path)).body, 'webhooks', '0', 'clientConfig', 'caBundle');
      return Buffer.from(String(found), 'base64').toString();
    };
    try {
      for (let turn = 0; turn < 3; turn++) {
        await webhooks.renew();
        await some();
      }
      const [first, before] = [await bundle(), await serial(webhooks.address.port)];
      assert.ok((await authority.rotation.prepare()).ok);
      assert.notEqual(await bundle(), first, 'the new root is believed before it signs');
      await some();
      for (const step of ['active', 'retiring']) {
        const moved = await authority.rotation.advance(NOBODY, true);
        assert.ok(moved.ok, step);
        assert.equal(moved.status.phase, step);
        await some();
      }
      assert.notEqual(await serial(webhooks.address.port), before);
      assert.ok((await bundle()).startsWith(authority.rotation.rootsPem().trim()), 'the new root comes first');
    } finally {
      done.abort();
      await Promise.all(callers);
    }
    assert.deepEqual(failed, []);
  });

  it('takes AdmissionReviews only, and no more than it should', async () => {
    const post = (path: string, body: string, type = 'application/json') =>
      import('node:https').then(
        ({ request }) =>
          new Promise<number>((resolve) => {
            const call = request(
              {
                host: '127.0.0.1',
                port: webhooks.address.port,
                path,
                method: 'POST',
                rejectUnauthorized: false,
                headers: { 'content-type': type },
                agent: false,
              },
              (response) => {
                response.resume();
                resolve(response.statusCode ?? 0);
              },
            );
            call.on('error', () => resolve(0));
            call.end(body);
          }),
      );
    assert.equal(await post('/inject', '{}'), 400);
    assert.equal(await post('/inject', 'x', 'text/plain'), 415);
    assert.equal(await post('/else', '{}'), 404);
    assert.ok([413, 0].includes(await post('/validate', 'x'.repeat(9 * 1024 * 1024))));
    assert.equal(await isInjected('labelled', 'after'), true);
  });

  it("bookinfo, the shop and the articles' YAML by kubectl: none is refused here, and bookinfo's pods get proxies", async function () {
    const definitions = join(root, 'gen', 'crds', 'istio.yaml');
    if (!existsSync(definitions) && process.env['CI'] === undefined) return this.skip();
    const kubectl = (...args: readonly string[]) => api().kubectl(args);
    const defined = await kubectl(
      'apply',
      '--server-side',
      '--force-conflicts',
      '-f',
      definitions,
      '-f',
      join(root, 'manifests', 'crds'),
    );
    assert.equal(defined.code, 0, defined.stderr);
    await kubectl('wait', '--for=condition=Established', '--all', 'crd', '--timeout=60s');
    await kubectl('create', 'namespace', 'istio-system');
    const samples = join(root, 'manifests', 'samples');
    for (const folder of ['shop', 'bookinfo']) {
      // Beside them are expectations for `gatehouse policy test`, which are no objects.
      const files = readdirSync(join(samples, folder)).filter((name) => !name.includes('policy-test'));
      const applied = await kubectl('apply', ...files.flatMap((name) => ['-f', join(samples, folder, name)]));
      assert.equal(applied.code, 0, applied.stderr);
      assert.doesNotMatch(applied.stderr, /denied the request/);
    }
    const seeds = isPresent(SEEDS) ? readdirSync(SEEDS).filter((name) => name.endsWith('.yaml')) : [];
    for (const name of seeds) {
      const { stderr } = await kubectl('apply', '-n', 'plain', '-f', join(SEEDS, name));
      assert.doesNotMatch(stderr, /denied the request/, name);
    }
    if (api().hasControllers)
      await eventually('a pod of productpage with its proxy', async () => {
        const { stdout } = await kubectl('get', 'pods', '-n', 'default', '-l', 'app=productpage', '-o', 'json');
        return stdout.includes('"name": "istio-proxy"') ? true : undefined;
      });
    return undefined;
  });

  it('while nobody answers, pods that should have a proxy are refused, and configuration is taken', async () => {
    await webhooks.close();
    await assert.rejects(api().apply(pod('labelled', 'nobody')), /failed calling webhook|connection refused/);
    assert.equal(await isInjected('plain', 'nobody'), false);
    assert.match(await api().apply(route('unseen', { hosts: [] })), /created/);
  });
});

function serial(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
