import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, envoyOrSkip } from '../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { call } from './envoy/call.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { explicitPod } from './workloads.ts';

const APP = '127.20.3.9';
const POD = '127.20.3.1';

const mesh = (folder: string) => `${explicitPod('app', 'shop', POD, APP)}
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: app, namespace: shop}
spec:
  workloadSelector: {labels: {app: app}}
  ingress: [{port: {number: 8080, name: http, protocol: HTTP}, defaultEndpoint: "unix://${folder}/own"}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: written, namespace: shop}
spec:
  hosts: [written.test]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: "unix://${folder}/written"}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: chosen, namespace: shop}
spec:
  hosts: [chosen.test]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: legacy}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: legacy, namespace: shop}
spec: {address: "unix://${folder}/chosen", labels: {app: legacy}}
`;

describe('Unix sockets in the real Envoy', () => {
  const servers: Server[] = [];
  let envoy: Envoy | undefined;
  let folder = '';

  before(async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    for (const server of ['own', 'written', 'chosen']) {
      const made = createServer((_, response) => response.end(JSON.stringify({ server })));
      servers.push(made);
      made.listen(join(folder, server));
      await once(made, 'listening');
    }
    const compiled = compiledFor(snapshotOf(mesh(folder)), 'shop/app');
    envoy = await startStaticProxy({ envoy: path, compiled, folder, account: 'shop/default' });
  });

  after(async () => {
    await envoy?.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  it('an application behind one is called there (Sidecar, defaultEndpoint)', async () => {
    assert.equal((await call(undefined, POD, 8080, 'app', '/')).server, 'own');
  });

  it('endpoints of ServiceEntries may be one, written or chosen', async () => {
    assert.equal((await call(undefined, APP, 15_001, 'written.test', '/')).server, 'written');
    assert.equal((await call(undefined, APP, 15_001, 'chosen.test', '/')).server, 'chosen');
  });
});
