import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { type Envoy, envoyOrSkip } from '../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { call } from './envoy/call.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';
import { surviveResets } from '../survive-resets.ts';

const APP = '127.20.4.9';

const mesh = (http: number, tls: number, policy: string) => `
apiVersion: v1
kind: Pod
metadata:
  name: app
  namespace: shop
  labels: {app: app}
  annotations: {gatehouse.dev/capture: explicit, gatehouse.dev/app-address: ${APP}}
spec: {containers: [{name: app}]}
status: {podIP: 127.20.4.1, phase: Running}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild, namespace: shop}
spec:
  hosts: ["*.localhost"]
  resolution: DYNAMIC_DNS
  ports: [{number: ${http}, name: http, protocol: HTTP}, {number: ${tls}, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {outboundTrafficPolicy: {mode: ${policy}}}
`;

describe('hosts found by their names in the real Envoy', () => {
  const servers: Server[] = [];
  let upstream: Upstream | undefined;
  let [http, tls] = [0, 0];
  let root = '';
  let envoy = '';

  before(async function () {
    this.timeout(60_000);
    envoy = envoyOrSkip(this);
    [http, tls] = [await freePort(), await freePort()];
    upstream = await startUpstream('outside', '127.0.0.1', http);
    const authority = await TestAuthority.create();
    root = authority.root;
    const { cert, key } = await authority.issueForHost('one.localhost');
    const server = createServer({ cert, key }, (socket) => socket.end('by its server name'));
    servers.push(surviveResets(server));
    server.listen(tls, '127.0.0.1');
    await once(server, 'listening');
  });

  after(async () => {
    for (const server of servers) server.close();
    await upstream?.close();
  });

  async function under(policy: string, ask: () => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    let running: Envoy | undefined;
    try {
      const compiled = compiledFor(snapshotOf(mesh(http, tls, policy)), 'shop/app');
      running = await startStaticProxy({ envoy, compiled, folder, account: 'shop/default' });
      await ask();
    } finally {
      await running?.stop();
      rmSync(folder, { recursive: true });
    }
  }

  const get = (host: string) => call(undefined, APP, 15_001, host, '/');

  it('DYNAMIC_DNS resolves the name under the wildcard, in HTTP and by the server name of TLS', () =>
    under('REGISTRY_ONLY', async () => {
      assert.equal((await get(`one.localhost:${http}`)).server, 'outside');
      assert.equal((await get(`two.localhost:${http}`)).server, 'outside');
      assert.equal((await get(`127.0.0.1:${http}`)).status, 502);
      const socket = connect({ host: APP, port: tls, servername: 'one.localhost', ca: root });
      const [data] = (await once(socket, 'data')) as [Buffer];
      assert.equal(data.toString(), 'by its server name');
      socket.destroy();
    }));

  it('ALLOW_ANY passes on what no service claims, and never to the proxy itself', () =>
    under('ALLOW_ANY', async () => {
      assert.equal((await get(`127.0.0.1:${http}`)).server, 'outside');
      assert.equal((await get(`localhost:${http}`)).server, 'outside');
      for (const circle of [`${APP}:15001`, 'one.localhost:15001', 'localhost:15001'])
        assert.equal((await get(circle)).status, 502, circle);
    }));
});
