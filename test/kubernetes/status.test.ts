import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { root } from '../feature/running-mesh.ts';
import { at, withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { RunningAgent } from './running-agent.ts';

const SYSTEM = 'istio-system';
const limit = (requests: number): object => ({
  apiVersion: 'gatehouse.dev/v1alpha1',
  kind: 'RateLimit',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { limits: [{ name: 'all', requests, per: '1s' }] },
});
const route = (timeout: string): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { hosts: ['web'], http: [{ timeout, route: [{ destination: { host: 'web' } }] }] },
});

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

describe('what became of objects, in the cluster', function () {
  this.timeout(180_000);
  const api = withApiServer();
  let dir: string;
  let serve: RunningServe;
  let proxy: RunningAgent | undefined;

  async function conditionOf(path: string, type: string): Promise<Condition | undefined> {
    const { body } = await api().request('GET', path);
    const found = at(body, 'status', 'conditions');
    const conditions: readonly Condition[] = Array.isArray(found) ? found : [];
    return conditions.find((one) => one.type === type);
  }
  const becomes = (path: string, type: string, status: string, reason?: string): Promise<Condition> =>
    eventually(
      `${path} is ${type}=${status} ${reason ?? ''}`,
      async () => {
        const found = await conditionOf(path, type);
        return found?.status === status && (reason === undefined || found.reason === reason) ? found : undefined;
      },
      30_000,
    );

  before(async function () {
    envoyOrSkip(this);
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-status-'));
    const [own] = parseAllDocuments(readFileSync(join(root, 'manifests', 'crds', 'ratelimits.yaml'), 'utf8'));
    await api().apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } },
      looseDefinition('networking.istio.io', 'VirtualService'),
      looseDefinition('gateway.networking.k8s.io', 'GatewayClass', { plural: 'gatewayclasses', scope: 'Cluster' }),
      looseDefinition('gateway.networking.k8s.io', 'HTTPRoute'),
      String(own),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { ports: [{ name: 'http', port: 80 }] },
      },
    );
    await eventually('the namespace has its ServiceAccount', async () => {
      const { status } = await api().request('GET', '/api/v1/namespaces/shop/serviceaccounts/default');
      return status === 200 ? true : undefined;
    });
    await api().apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'web-1',
        namespace: 'shop',
        labels: { app: 'web' },
        annotations: {
          'gatehouse.dev/capture': 'explicit',
          'gatehouse.dev/app-address': '127.0.0.1',
          'gatehouse.dev/bind-address': '127.0.7.9',
        },
      },
      spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web' }] },
    });
    await api().request('PATCH', '/api/v1/namespaces/shop/pods/web-1/status', {
      status: { phase: 'Running', podIP: '127.0.7.9', podIPs: [{ ip: '127.0.7.9' }] },
    });
    const keys = await api().request('GET', '/openid/v1/jwks');
    writeFileSync(join(dir, 'keys.json'), JSON.stringify(keys.body));
    const tokens = ['--jwks', join(dir, 'keys.json'), '--token-issuer', api().issuer];
    serve = new RunningServe(['--kubernetes', '--kubeconfig', api().kubeconfig, '--system-namespace', SYSTEM], dir, ...tokens);
    await serve.ready();
  });
  after(async () => {
    await proxy?.stop();
    await serve?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  const WEB = '/apis/networking.istio.io/v1/namespaces/shop/virtualservices/web';

  it('an object is accepted, and programmed on the proxies that are there', async function () {
    await eventually('the definition is served', async () => {
      const { code } = await api().kubectl(['apply', '-f', '-'], { input: JSON.stringify(route('5s')) });
      return code === 0 ? true : undefined;
    });
    const accepted = await becomes(WEB, 'Accepted', 'True');
    assert.equal(accepted.observedGeneration, 1);
    assert.equal((await becomes(WEB, 'Programmed', 'Unknown')).reason, 'NoProxies');
    const { grpc, rootCert } = await serve.ready();
    const token = await api().token('shop', 'default', { audiences: ['istio-ca'], pod: 'web-1' });
    const place = { namespace: 'shop', serviceAccount: 'default', pod: 'web-1', ip: '127.0.7.9' };
    proxy = new RunningAgent({
      folder: join(dir, 'web-1'),
      envoy: envoyOrSkip(this),
      grpc: grpc ?? '',
      rootCert,
      token,
      ...place,
    });
    assert.equal((await becomes(WEB, 'Programmed', 'True')).message, '1 of 1 proxies');
  });

  it('a refusal says the field and what to do, and is an Event; corrected, it is accepted again', async () => {
    await api().apply(route('soon'));
    const refused = await becomes(WEB, 'Accepted', 'False');
    assert.match(refused.message, /^spec\.http\[0\]\.timeout: .*soon.*last good version/);
    assert.equal(refused.observedGeneration, 2);
    const event = await eventually('the Event', async () => {
      const { stdout } = await api().kubectl(['get', 'events', '-n', 'shop', '-o', 'json']);
      const items = at(JSON.parse(stdout), 'items');
      return (Array.isArray(items) ? items : []).find((one) => at(one, 'reason') === 'Refused');
    });
    assert.equal(at(event, 'involvedObject', 'name'), 'web');
    assert.equal(at(event, 'type'), 'Warning');
    await api().apply(route('6s'));
    const again = await becomes(WEB, 'Accepted', 'True');
    assert.ok(again.lastTransitionTime >= refused.lastTransitionTime);
    await becomes(WEB, 'Programmed', 'True');
    const { stdout } = await api().kubectl(['get', 'events', '-n', 'shop', '-o', 'json']);
    const items = at(JSON.parse(stdout), 'items');
    assert.equal((Array.isArray(items) ? items : []).filter((one) => at(one, 'reason') === 'Refused').length, 1);
  });

  it('kubectl shows it in columns, for our own kinds', async () => {
    await api().apply(limit(20));
    await becomes('/apis/gatehouse.dev/v1alpha1/namespaces/shop/ratelimits/web', 'Programmed', 'True');
    const { stdout } = await api().kubectl(['get', 'ratelimits', '-n', 'shop']);
    assert.match(stdout, /^NAME +ACCEPTED +PROGRAMMED +AGE\nweb +True +1 of 1 proxies /);
  });

  it('what others wrote stays, and nothing is written when there is nothing new', async () => {
    const other = { type: 'Reconciled', status: 'True', reason: 'x', message: 'y', lastTransitionTime: '2026-01-01T00:00:00Z' };
    const { body } = await api().request('GET', WEB);
    const before = at(body, 'status', 'conditions');
    const conditions = [...(Array.isArray(before) ? before : []), other];
    await api().request('PATCH', `${WEB}/status`, { status: { conditions } });
    await api().apply(route('7s'));
    await eventually(
      'the new generation is told of',
      async () => {
        const found = await conditionOf(WEB, 'Programmed');
        return found?.observedGeneration === 4 ? true : undefined;
      },
      30_000,
    );
    assert.equal((await conditionOf(WEB, 'Reconciled'))?.message, 'y');
    const version = at((await api().request('GET', WEB)).body, 'metadata', 'resourceVersion');
    await api().apply(limit(30));
    await eventually(
      'another object is told of',
      async () => {
        const found = await conditionOf('/apis/gatehouse.dev/v1alpha1/namespaces/shop/ratelimits/web', 'Programmed');
        return found?.observedGeneration === 2 && found.status === 'True' ? true : undefined;
      },
      30_000,
    );
    assert.equal(at((await api().request('GET', WEB)).body, 'metadata', 'resourceVersion'), version);
  });

  it('objects of the Gateway API have the status that its specification wants', async () => {
    await api().apply({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
        rules: [{ backendRefs: [{ name: 'nowhere', port: 80 }] }],
      },
    });
    const parent = await eventually(
      'the route has a parent',
      async () => {
        const { body } = await api().request('GET', '/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/web');
        const parents = at(body, 'status', 'parents');
        return Array.isArray(parents) ? parents[0] : undefined;
      },
      30_000,
    );
    const conditions = at(parent, 'conditions');
    const refs = (Array.isArray(conditions) ? conditions : []).find((one) => at(one, 'type') === 'ResolvedRefs');
    assert.equal(at(refs, 'status'), 'False');
    assert.equal(at(refs, 'reason'), 'BackendNotFound');
  });
});
