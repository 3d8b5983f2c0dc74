import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { connect, createServer } from 'node:tls';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';
import { freePort } from './envoy/upstream.ts';
import { surviveResets } from '../survive-resets.ts';

const pod = (name: string, address: string, labels: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: default, labels: {app: echo, version: ${name}, ${labels}}}
spec: {containers: [{name: app}]}
status: {podIP: ${address}, phase: Running}
---`;

const MESHED = 'security.istio.io/tlsMode: istio';

const mesh = (gateway: number, port: number) => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: east-west, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: ${gateway}, name: tls, protocol: TLS}, tls: {mode: AUTO_PASSTHROUGH}, hosts: ["default/*.default.svc.cluster.local"]}]
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: default}
spec: {selector: {app: echo}, ports: [{name: tcp, port: 7000, targetPort: ${port}}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: other}
spec: {ports: [{name: tcp, port: 7000, targetPort: ${port}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo, namespace: default}
spec: {host: echo, subsets: [{name: two, labels: {version: two}}]}
---${pod('one', '127.20.1.1', MESHED)}${pod('two', '127.20.1.2', MESHED)}${pod('plain', '127.20.1.3', '')}`;

describe('AUTO_PASSTHROUGH in the real Envoy', () => {
  const servers: Server[] = [];
  let running: GatewayMesh | undefined;
  let gateway = 0;
  let client: Issued;
  let root = '';

  before(async function () {
    this.timeout(60_000);
    const envoy = envoyOrSkip(this);
    const authority = await TestAuthority.create();
    root = authority.root;
    client = await authority.issue('spiffe://cluster.local/ns/far/sa/caller');
    const { cert, key } = await authority.issue('spiffe://cluster.local/ns/default/sa/default');
    const port = await freePort();
    gateway = await freePort();
    for (const [name, address] of [
      ['one', '127.20.1.1'],
      ['two', '127.20.1.2'],
      ['plain', '127.20.1.3'],
    ] as const) {
      const options = { cert, key, ca: root, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['istio'] };
      // Who called is known to the server itself: the gateway has not ended the TLS.
      const server = createServer(options, (socket) => socket.end(`${name} ${socket.getPeerX509Certificate()?.subjectAltName}`));
      servers.push(surviveResets(server));
      server.listen(port, address);
      await once(server, 'listening');
    }
    running = await startGatewayMesh(envoy, mesh(gateway, port));
  });

  after(async () => {
    for (const server of servers) server.close();
    await running?.close();
  });

  async function ask(servername: string, protocol = 'istio'): Promise<string> {
    const { cert, key } = client;
    const socket = connect({
      host: '127.0.0.1',
      port: gateway,
      servername,
      ALPNProtocols: [protocol],
      cert,
      key,
      ca: root,
      checkServerIdentity: () => undefined,
    });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of socket) chunks.push(Buffer.from(chunk as Uint8Array));
    } catch {
      return 'refused';
    }
    return Buffer.concat(chunks).toString();
  }

  const ECHO = 'outbound_.7000_._.echo.default.svc.cluster.local';

  it('leads to the endpoints that take mutual TLS, and to no others', async () => {
    const answers = new Set<string>();
    for (let at = 0; at < 12; at++) answers.add(await ask(ECHO));
    const caller = 'URI:spiffe://cluster.local/ns/far/sa/caller';
    assert.deepEqual([...answers].sort(), [`one ${caller}`, `two ${caller}`]);
  });

  it('leads to a subset by its name', async () => {
    for (let at = 0; at < 4; at++) assert.match(await ask('outbound_.7000_.two_.echo.default.svc.cluster.local'), /^two /);
  });

  it('takes neither other names nor TLS that is not of the mesh', async () => {
    assert.equal(await ask('outbound_.7001_._.echo.default.svc.cluster.local'), 'refused');
    assert.equal(await ask('outbound_.7000_._.echo.other.svc.cluster.local'), 'refused');
    assert.equal(await ask('echo.default.svc.cluster.local'), 'refused');
    assert.equal(await ask(ECHO, 'h2'), 'refused');
  });
});
