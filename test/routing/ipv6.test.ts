import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, envoyOrSkip } from '../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { type Answer, call } from './envoy/call.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { explicitPod } from './workloads.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';

const APP = '127.20.5.9';

const mesh = (port: number, own: number) => `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.7
  clusterIPs: [10.96.0.7, "fd00::7"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: ${port}}, {name: tcp, port: 90, targetPort: ${port}}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: app}]}
status: {podIP: "::1", phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: shop}
spec: {selector: {app: app}, ports: [{name: http, port: ${own}}]}
---${explicitPod('app', 'shop', '::1', APP)}
apiVersion: v1
kind: Pod
metadata: {name: captured, namespace: shop, labels: {app: captured, security.istio.io/tlsMode: istio}}
spec: {containers: [{name: app}]}
status: {podIP: 10.0.0.9, phase: Running}
`;

describe('IPv6 in the real Envoy', () => {
  let web: Upstream | undefined;
  let app: Upstream | undefined;
  let envoy: Envoy | undefined;
  let folder = '';
  let own = 0;

  before(async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    const loopback = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1') === true);
    if (!loopback) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    const port = await freePort();
    own = await freePort();
    web = await startUpstream('web', '::1', port);
    app = await startUpstream('app', APP, own);
    const compiled = compiledFor(snapshotOf(mesh(port, own)), 'shop/app');
    envoy = await startStaticProxy({ envoy: path, compiled, folder, account: 'shop/default' });
  });

  after(async () => {
    await envoy?.stop();
    await Promise.all([web?.close(), app?.close()]);
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  const ask = (host: string): Promise<Answer> => call(undefined, APP, 15_001, host, '/');

  it('endpoints are called there, by name and by the addresses of both families', async () => {
    for (const host of ['web', '10.96.0.7', '[fd00::7]', '[fd00::7]:80']) assert.equal((await ask(host)).server, 'web', host);
  });

  it('an instance at such an address is called there', async () => {
    assert.equal((await call(undefined, '::1', own, 'app', '/')).server, 'app');
  });
});

describe('a Service of two address families, captured', () => {
  it('has a listener for each', () => {
    const { listeners } = compiledFor(snapshotOf(mesh(8080, 8081)), 'shop/captured');
    const names = listeners.map(({ name }) => name).filter((name) => name.endsWith('_90'));
    assert.deepEqual(names.sort(), ['10.96.0.7_90', 'fd00::7_90']);
  });
});
