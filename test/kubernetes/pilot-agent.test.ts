import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { netnsObstacle } from '../../cli/up/netns/capture.ts';
import { injector } from '../../kubernetes/install/webhooks.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { findPilotAgent } from '../tools/find.ts';
import { at, withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { InjectedPod } from './injected-pod.ts';

const BRIDGE = 'ghk1';
const HOST = '10.211.8.1';
const SERVICE_IP = '10.96.8.8';
const CONTROL_PLANE = 'gatehouse.gatehouse-system.svc';

/** Status and body of a call by the node, which has no identity: as the kubelet calls. */
async function kubelet(url: string): Promise<string> {
  return fetch(url, { signal: AbortSignal.timeout(5000) }).then(
    async (response) => `${response.status} ${await response.text()}`,
    () => 'none',
  );
}

describe("Istio's own pilot-agent in an injected pod", function () {
  this.timeout(240_000);
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) {
    it.skip(obstacle);
    return;
  }
  const api = withApiServer();
  const pods = new Map<string, InjectedPod>();
  let dir: string;
  let serve: RunningServe;
  let pilotAgent: { readonly program: string; readonly template: string };

  before(async function () {
    const envoy = envoyOrSkip(this);
    const found = findPilotAgent();
    if (found === undefined) return this.skip();
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-injected-'));
    execFileSync('chmod', ['755', dir]);
    // Where the proxy's user may read them: a cache is root's.
    pilotAgent = { program: join(dir, 'pilot-agent'), template: join(dir, 'bootstrap.json') };
    cpSync(found.program, pilotAgent.program);
    writeFileSync(pilotAgent.template, readFileSync(found.template));
    spawnSync('ip', ['link', 'del', BRIDGE]);
    execFileSync('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
    execFileSync('ip', ['addr', 'add', `${HOST}/24`, 'dev', BRIDGE]);
    execFileSync('ip', ['link', 'set', BRIDGE, 'up']);
    await api().apply(
      // Without it no EndpointSlice has its pods.
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gatehouse-system' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'istio-injection': 'enabled' } } },
      looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
    );
    // As `gatehouse install` has it: without it, that agent looks for istiod.istio-system.svc.
    writeFileSync(join(dir, 'mesh.yaml'), `defaultConfig:\n  discoveryAddress: ${CONTROL_PLANE}:15012\n`);
    serve = new RunningServe(
      ['--kubernetes', '--kubeconfig', api().kubeconfig, '--system-namespace', 'gatehouse-system'],
      dir,
      ...['--webhook-address', '127.0.0.1:0', '--advertise', CONTROL_PLANE, '--grpc-address', `${HOST}:15012`],
      ...['--mesh-config', join(dir, 'mesh.yaml')],
    );
    const { webhooks, rootCert } = (await serve.ready()) as { readonly webhooks?: string; readonly rootCert: string };
    assert.ok(webhooks, 'the webhooks are not served');
    const text = JSON.stringify(injector(DEFAULTS)).replaceAll(
      /"service":\{[^}]*"path":"([^"]*)"[^}]*\}/g,
      `"caBundle":"${readFileSync(rootCert).toString('base64')}","url":"https://localhost:${webhooks.split(':')[1]}$1"`,
    );
    await api().apply(JSON.parse(text) as object);
    await api().apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web', namespace: 'shop' } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'users', namespace: 'shop' } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'users', namespace: 'shop' },
        spec: { clusterIP: SERVICE_IP, selector: { app: 'users' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      },
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'PeerAuthentication',
        metadata: { name: 'strict', namespace: 'shop' },
        spec: { mtls: { mode: 'STRICT' } },
      },
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'users', namespace: 'shop' },
        spec: {
          selector: { matchLabels: { app: 'users' } },
          rules: [
            {
              from: [{ source: { principals: ['cluster.local/ns/shop/sa/web'] } }],
              to: [{ operation: { paths: ['/ok'] } }],
            },
          ],
        },
      },
    );
    await podOf('users', '10.211.8.2', envoy);
    await podOf('web', '10.211.8.3', envoy);
    pods
      .get('users')
      ?.application(
        "require('node:http').createServer((q, s) => s.end('users: ' + q.url + ' for ' + (q.headers['x-forwarded-client-cert'] ? 'a certificate' : q.socket.remoteAddress))).listen(8080)",
      );
  });
  after(async () => {
    for (const pod of pods.values()) pod.stop();
    await serve?.stop();
    spawnSync('ip', ['link', 'del', BRIDGE]);
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  /** Makes a pod by kubectl, and is its kubelet. */
  async function podOf(name: string, ip: string, envoy: string): Promise<void> {
    await eventually('the ServiceAccount can have pods', async () => {
      const { code } = await api().kubectl(['apply', '-f', '-'], {
        input: JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: `${name}-1`, namespace: 'shop', labels: { app: name } },
          spec: {
            serviceAccountName: name,
            nodeName: 'n1',
            containers: [
              {
                name: 'app',
                image: 'app',
                ports: [{ containerPort: 8080 }],
                readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
              },
            ],
          },
        }),
      });
      return code === 0 ? true : undefined;
    });
    const { body } = await api().request('GET', `/api/v1/namespaces/shop/pods/${name}-1`);
    await api().request('PATCH', `/api/v1/namespaces/shop/pods/${name}-1/status`, {
      status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
    });
    const roots = await eventually('the namespace has the roots', async () => {
      const found = await api().request('GET', '/api/v1/namespaces/shop/configmaps/istio-ca-root-cert');
      const text = at(found.body, 'data', 'root-cert.pem');
      return typeof text === 'string' ? text : undefined;
    });
    const token = await api().token('shop', name, { audiences: ['istio-ca'], pod: `${name}-1` });
    const pod = new InjectedPod(body, { name: `ghp-${name}`, ip, bridge: BRIDGE, gateway: HOST }, join(dir, name), {
      token,
      rootCert: roots,
      hosts: [`${HOST} ${CONTROL_PLANE}`],
      envoy,
      ...(name === 'web' ? { pilotAgent } : {}),
    });
    pods.set(name, pod);
    pod.start();
  }

  const said = (name: string): string => pod(name).said.slice(-6000);
  const pod = (name: string): InjectedPod => pods.get(name) ?? assert.fail(`no pod ${name}`);

  it('it becomes ready, with a certificate of ours and the configuration of ours', async () => {
    for (const ip of ['10.211.8.2', '10.211.8.3'])
      await eventually(
        `the proxy at ${ip} is ready`,
        async () => ((await kubelet(`http://${ip}:15021/healthz/ready`)).startsWith('200') ? true : undefined),
        60_000,
      ).catch((error: unknown) => assert.fail(`${String(error)}\n${said('web')}\n${serve.errors}`));
    assert.match(said('web'), /pilot-agent|xdsproxy|Starting proxy agent/i);
  });

  it('calls by mutual TLS as its ServiceAccount, and is held to policy', async () => {
    await eventually('web reaches users', () =>
      pod('web').call(`http://${SERVICE_IP}/ok`) === '200 users: /ok for a certificate' ? true : undefined,
    ).catch((error: unknown) =>
      assert.fail(`${String(error)}\n${pod('web').call(`http://${SERVICE_IP}/ok`)}\n${said('web')}\n${serve.errors}`),
    );
    assert.match(pod('web').call(`http://${SERVICE_IP}/secret`), /^403 RBAC/);
  });

  it('a change of the configuration reaches its Envoy', async () => {
    await api().apply({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'users', namespace: 'shop' },
      spec: {},
    });
    await eventually('web is denied', () => (pod('web').call(`http://${SERVICE_IP}/ok`).startsWith('403') ? true : undefined));
  });
});
