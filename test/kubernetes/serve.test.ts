import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { MAIN, RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { get } from '../feature/running-mesh.ts';
import { at, withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { RunningAgent } from './running-agent.ts';

const route = (timeout: string): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'users', namespace: 'shop' },
  spec: { hosts: ['users'], http: [{ timeout, route: [{ destination: { host: 'users' } }] }] },
});

const service = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
});

interface Syncz {
  readonly snapshot: number;
  readonly proxies: readonly { readonly known: boolean; readonly acknowledged: number; readonly waitingSince: string | null }[];
}

describe('gatehouse serve --kubernetes', function () {
  this.timeout(180_000);
  const api = withApiServer();
  let dir: string;
  let serve: RunningServe;
  let http: string;
  const proxies: RunningAgent[] = [];

  before(async function () {
    envoyOrSkip(this);
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-kubernetes-'));
    for (const name of ['istio-system', 'shop']) await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await eventually('the namespace has its ServiceAccount', async () => {
      const { status } = await api().request('GET', '/api/v1/namespaces/shop/serviceaccounts/default');
      return status === 200 ? true : undefined;
    });
    await api().apply(looseDefinition('networking.istio.io', 'VirtualService'), service('web'), service('users'));
    const keys = await api().request('GET', '/openid/v1/jwks');
    writeFileSync(join(dir, 'keys.json'), JSON.stringify(keys.body));
    const tokens = ['--jwks', join(dir, 'keys.json'), '--token-issuer', api().issuer];
    serve = new RunningServe(['--kubernetes', '--kubeconfig', api().kubeconfig], dir, ...tokens);
    ({ http } = await serve.ready());
  });
  after(async () => {
    for (const proxy of proxies) await proxy.stop();
    await serve?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  /** A Pod of the Service web at an address of this machine. */
  async function podObject(pod: string, ip: string): Promise<void> {
    await api().apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: pod,
        namespace: 'shop',
        labels: { app: 'web' },
        annotations: {
          'gatehouse.dev/capture': 'explicit',
          'gatehouse.dev/app-address': '127.0.0.1',
          'gatehouse.dev/bind-address': ip,
        },
      },
      spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web', ports: [{ containerPort: 8080 }] }] },
    });
    await api().request('PATCH', `/api/v1/namespaces/shop/pods/${pod}/status`, {
      status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
    });
  }

  async function sidecar(test: Mocha.Context, pod: string, ip: string, token: string): Promise<RunningAgent> {
    const { grpc, rootCert } = await serve.ready();
    const started = new RunningAgent({
      folder: join(dir, pod),
      envoy: envoyOrSkip(test),
      grpc: grpc ?? assert.fail('no address'),
      rootCert,
      namespace: 'shop',
      serviceAccount: 'default',
      pod,
      ip,
      token,
    });
    proxies.push(started);
    return started;
  }

  const tokenOf = (pod: string): Promise<string> => api().token('shop', 'default', { audiences: ['istio-ca'], pod });

  async function syncz(): Promise<Syncz> {
    const found: Syncz = JSON.parse((await get(http, '/debug/syncz')).body);
    return found;
  }

  /** Whether an Envoy has a route with this timeout, and has acknowledged the snapshot in force. */
  async function inForce(proxy: RunningAgent, timeout: string): Promise<void> {
    await eventually(`a route with timeout ${timeout} is in force`, async () => {
      const dump = await proxy.admin('/config_dump?include_eds');
      if (!dump.includes(`"timeout": "${timeout}"`)) return undefined;
      const { snapshot, proxies } = await syncz();
      return proxies.every(({ acknowledged, waitingSince }) => acknowledged === snapshot && waitingSince === null)
        ? true
        : undefined;
    });
  }

  it('gives a real Envoy beside a Pod its configuration, and a change by kubectl is in force', async function () {
    await podObject('web-1', '127.0.7.1');
    const proxy = await sidecar(this, 'web-1', '127.0.7.1', await tokenOf('web-1'));
    await eventually('the Pod is known and has everything', async () => {
      const { proxies, snapshot } = await syncz();
      return proxies.length === 1 && proxies[0]?.known === true && proxies[0].acknowledged === snapshot ? true : undefined;
    });
    assert.match(await proxy.admin('/clusters'), /outbound\|80\|\|users\.shop\.svc\.cluster\.local/);
    await eventually('a VirtualService can be written', async () => {
      const { code } = await api().kubectl(['apply', '-f', '-'], { input: JSON.stringify(route('7s')) });
      return code === 0 ? true : undefined;
    });
    await inForce(proxy, '7s');
    await api().apply(route('8s'));
    await inForce(proxy, '8s');
  });

  it('serves the last snapshot while the API server is away, also to a proxy that comes then, and sees changes once it is back', async function () {
    await podObject('web-2', '127.0.7.2');
    const token = await tokenOf('web-2');
    await eventually('the Pod is seen', async () => {
      const { body } = await get(http, '/debug/objects?all');
      return body.includes('web-2') ? true : undefined;
    });
    const before = await syncz();
    await api().kill();
    const second = await sidecar(this, 'web-2', '127.0.7.2', token);
    await inForce(second, '8s');
    assert.equal((await get(http, '/healthz')).status, 200);
    const during = await syncz();
    assert.equal(during.snapshot, before.snapshot);
    assert.equal(during.proxies.length, 2);
    await api().start();
    assert.equal((await syncz()).snapshot, before.snapshot);
    await api().apply(route('9s'));
    for (const proxy of proxies) await inForce(proxy, '9s');
  });

  it('tells of a refused object by its name, and keeps its last good version', async () => {
    await api().apply(route('soon'));
    await eventually('the diagnostic', () =>
      /^error: VirtualService shop\/users spec\.http\[0\]\.timeout: .*soon/m.test(serve.errors) ? true : undefined,
    );
    await inForce(proxies[0] ?? assert.fail(), '9s');
  });

  it('validate --kubernetes says what is wrong in a cluster', async () => {
    await api().apply(route('soon'));
    const args = [...MAIN, 'validate', '--kubernetes', '--kubeconfig', api().kubeconfig, '-o', 'json'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await once(child, 'close');
    assert.equal(child.exitCode, 1);
    const result: unknown = JSON.parse(out);
    assert.equal(at(result, 'valid'), false);
    assert.equal(at(result, 'errors'), 1);
    const objects = at(result, 'objects');
    assert.ok(Array.isArray(objects) && objects.includes('Service shop/users') && !objects.includes('VirtualService shop/users'));
    await api().apply(route('9s'));
  });

  it('refuses both a folder and a cluster, and names the contexts that there are', async () => {
    const both = new RunningServe(['--kubernetes', '-f', dir], dir);
    assert.equal(await both.ended(), 2);
    assert.match(both.errors, /not of both/);
    const neither = new RunningServe([], dir);
    assert.equal(await neither.ended(), 2);
    const other = new RunningServe(['--kubernetes', '--kubeconfig', api().kubeconfig, '--context', 'prod'], dir);
    assert.equal(await other.ended(), 1);
    assert.match(other.errors, /no context "prod"; it has test/);
  });

  it('says what a ServiceAccount may not see, and is ready once it may', async () => {
    const kubeconfig = await api().kubeconfigFor('shop', 'default');
    const blind = new RunningServe(['--kubernetes', '--kubeconfig', kubeconfig], join(dir, 'blind'));
    try {
      await eventually('it says what it may not see', () =>
        /"resource":"pods"[^\n]*forbidden/.test(blind.errors) ? true : undefined,
      );
      await api().apply({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'sees-all' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'shop' }],
      });
      const { http } = await blind.ready();
      const { body } = await get(http, '/healthz');
      assert.equal(typeof at(JSON.parse(body), 'snapshot'), 'number');
    } finally {
      await blind.stop();
    }
  });
});
