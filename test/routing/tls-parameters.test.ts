// What TLS is negotiated with, as real clients and servers see it on both sides of the real Envoy.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { call } from './envoy/call.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';
import { listening } from './envoy/listening.ts';
import { CLIENT_APP, SERVER_POD, type SidecarMesh, startSidecarMesh } from './envoy/sidecar-mesh.ts';
import { freePort } from './envoy/upstream.ts';
import { meshConfigOf } from './telemetry/telemetry-mesh.ts';

interface Negotiated {
  readonly version: string | null;
  /** Where TLS tells the client: of one named curve. */
  readonly curve: string | undefined;
  readonly cipher: string;
}

/** What comes of a handshake; `refused` where none does. The server may refuse a client's certificate only after it (TLS 1.3). */
async function negotiated(port: number, host: string, options: ConnectionOptions): Promise<Negotiated | 'refused'> {
  const socket: TLSSocket = connect({ host, port, rejectUnauthorized: false, ...options });
  try {
    await once(socket, 'secureConnect');
    const key = socket.getEphemeralKeyInfo();
    const curve = key !== null && 'name' in key && typeof key.name === 'string' ? key.name : undefined;
    return { version: socket.getProtocol(), curve, cipher: socket.getCipher().standardName };
  } catch {
    return 'refused';
  } finally {
    socket.destroy();
  }
}

const TLS12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
const TLS13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;
const WEAK = 'ECDHE-ECDSA-AES128-GCM-SHA256';
const STRONG = 'ECDHE-ECDSA-AES256-GCM-SHA384';

describe('TLS of the mesh in the real Envoy: meshMTLS', function () {
  this.timeout(60_000);
  let mesh: SidecarMesh | undefined;
  let shown: Issued;
  let envoy = '';
  before(function () {
    envoy = envoyOrSkip(this);
  });
  const start = async (meshMtls: string): Promise<SidecarMesh> => {
    mesh = await startSidecarMesh(envoy, meshConfigOf(meshMtls));
    shown = await mesh.authority.issue('spiffe://cluster.local/ns/a/sa/b');
    return mesh;
  };
  afterEach(async () => {
    await mesh?.close();
    mesh = undefined;
  });
  const shake = (running: SidecarMesh, options: ConnectionOptions) =>
    negotiated(running.ports.strict, SERVER_POD, { ...shown, ALPNProtocols: ['istio'], ...options });
  /** The client's sidecar calls the server's. */
  const called = async (running: SidecarMesh): Promise<number> =>
    (await call(undefined, CLIENT_APP, 15_001, `server:${running.ports.strict}`, '/')).status;

  it('nothing said: TLS 1.2 and 1.3, any curve, ciphers with forward secrecy', async () => {
    const running = await start('');
    assert.deepEqual(await shake(running, { ...TLS12, ciphers: WEAK, ecdhCurve: 'P-256' }), {
      version: 'TLSv1.2',
      curve: 'prime256v1',
      cipher: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    });
    assert.equal(await shake(running, { ...TLS12, ciphers: 'ECDHE-ECDSA-AES128-SHA' }), 'refused');
    const latest = await shake(running, { ecdhCurve: 'X25519' });
    assert.ok(latest !== 'refused');
    assert.deepEqual([latest.version, latest.curve], ['TLSv1.3', 'X25519']);
    assert.equal(await called(running), 200);
  });

  it('a least version and curves: others are refused, and sidecars find each other', async () => {
    const running = await start('meshMTLS: {minProtocolVersion: TLSV1_3, ecdhCurves: [P-384]}');
    assert.equal(await shake(running, TLS12), 'refused');
    assert.equal(await shake(running, { ...TLS13, ecdhCurve: 'X25519:P-256' }), 'refused');
    const made = await shake(running, { ecdhCurve: 'P-256:P-384' });
    assert.ok(made !== 'refused');
    assert.deepEqual([made.version, made.curve], ['TLSv1.3', 'secp384r1']);
    assert.equal(await called(running), 200);
  });

  it('ciphers, of TLS 1.2', async () => {
    const running = await start(`meshMTLS: {cipherSuites: [${STRONG}]}`);
    assert.equal(await shake(running, { ...TLS12, ciphers: WEAK }), 'refused');
    const made = await shake(running, { ...TLS12, ciphers: `${WEAK}:${STRONG}` });
    assert.ok(made !== 'refused');
    assert.equal(made.cipher, 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
    assert.equal(await called(running), 200);
  });
});

describe('TLS with others in the real Envoy: tlsDefaults, and what a Gateway says', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const closing: { close(): Promise<void> }[] = [];
  let authority: TestAuthority;
  let mesh: GatewayMesh | undefined;
  let https = 0;
  let outside: Readonly<Record<string, number>> = {};
  let envoy = '';
  /** Version and cipher of the requests that the servers outside got. */
  const seen: string[] = [];
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const way = (name: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec: {hosts: [${name}.test], gateways: [gateway], http: [{route: [{destination: {host: ${name}.outside.test}}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.outside.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: ${port}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: default}
spec:
  host: ${name}.outside.test
  trafficPolicy: {tls: {mode: SIMPLE, sni: outside.test, subjectAltNames: [outside.test], caCertificates: ${file('ca.pem', authority.root)}}}
`;
  const gatewayServer = async (host: string, settings: string): Promise<string> => {
    const { cert, key } = await authority.issueForHost(host);
    const pair = `serverCertificate: ${file(`${host}.pem`, cert)}, privateKey: ${file(`${host}.key`, key)}`;
    return `  - {port: {number: ${https}, name: ${host.replaceAll('.', '-')}, protocol: HTTPS}, hosts: [${host}], tls: {mode: SIMPLE, ${pair}${settings}}}`;
  };

  const server = (own: Issued, options: object) =>
    createSecureServer({ cert: own.cert, key: own.key, ...options }, ({ socket }, response) => {
      const { name, version } = (socket as TLSSocket).getCipher();
      seen.push(`${version} ${name}`);
      response.end('{"server": "outside"}');
    });

  before(async function () {
    envoy = envoyOrSkip(this);
    authority = await TestAuthority.create();
    const own = await authority.issueForHost('outside.test');
    const older = await listening(server(own, TLS12), '127.0.0.1');
    const otherCurve = await listening(server(own, { ecdhCurve: 'P-521' }), '127.0.0.1');
    const anything = await listening(server(own, {}), '127.0.0.1');
    closing.push(older, otherCurve, anything);
    outside = { older: older.port, curve: otherCurve.port, any: anything.port };
  });
  const start = async (tlsDefaults: string): Promise<GatewayMesh> => {
    https = await freePort();
    seen.length = 0;
    const yaml = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: secure, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
${await gatewayServer('plain.test', '')}
${await gatewayServer('own.test', `, cipherSuites: [${WEAK}], ecdhCurves: [P-521], minProtocolVersion: TLSV1_2`)}
${await gatewayServer('old.test', ', maxProtocolVersion: TLSV1_2, minProtocolVersion: TLSV1_2')}
${await gatewayServer('most.test', ', maxProtocolVersion: TLSV1_2')}
${await gatewayServer('new.test', ', minProtocolVersion: TLSV1_3')}
---
${Object.entries(outside)
  .map(([name, port]) => way(name, port))
  .join('---')}
`;
    mesh = await startGatewayMesh(envoy, yaml, meshConfigOf(`tlsDefaults: {${tlsDefaults}}`));
    return mesh;
  };
  afterEach(async () => {
    await mesh?.close();
    mesh = undefined;
  });
  after(async () => {
    for (const one of closing) await one.close();
    rmSync(folder, { recursive: true });
  });

  const shake = (servername: string, options: ConnectionOptions) =>
    negotiated(https, '127.0.0.1', { servername, ALPNProtocols: ['http/1.1'], ...options });

  const CURVE_AND_CIPHER = `cipherSuites: [${STRONG}], ecdhCurves: [P-384, P-256]`;
  const reach = async (running: GatewayMesh, name: string) => (await running.get(`${name}.test`, '/')).status;

  it("the mesh's hold where a server says nothing, and its own go before them", async () => {
    const running = await start(CURVE_AND_CIPHER);
    const made = await shake('plain.test', { ...TLS12, ciphers: `${WEAK}:${STRONG}`, ecdhCurve: 'X25519:P-384:P-256' });
    assert.deepEqual(made, { version: 'TLSv1.2', curve: 'secp384r1', cipher: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384' });
    assert.equal(await shake('plain.test', { ...TLS12, ciphers: WEAK, ecdhCurve: 'P-256:P-384' }), 'refused');
    assert.equal(await shake('plain.test', { ...TLS13, ecdhCurve: 'P-521' }), 'refused');
    assert.equal(await shake('plain.test', { ...TLS13, ecdhCurve: 'X25519' }), 'refused');
    // TLS 1.2 wants the certificate's own curve (P-256) among the client's as well (RFC 8422, 5.1).
    const own = await shake('own.test', { ...TLS12, ciphers: `${STRONG}:${WEAK}`, ecdhCurve: 'P-256:P-384:P-521' });
    assert.deepEqual(own, { version: 'TLSv1.2', curve: 'secp521r1', cipher: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256' });
    assert.equal(await shake('own.test', { ...TLS13, ecdhCurve: 'P-384' }), 'refused');
    // Toward servers outside: a cipher for TLS 1.2, a curve for both.
    assert.deepEqual([await reach(running, 'older'), seen], [200, [`TLSv1.2 ${STRONG}`]]);
    assert.equal(await reach(running, 'any'), 200);
    assert.equal(await reach(running, 'curve'), 503);
  });

  it("versions: a server's own, and the mesh's least", async () => {
    await start('');
    assert.equal(await shake('old.test', TLS13), 'refused');
    assert.notEqual(await shake('old.test', TLS12), 'refused');
    assert.equal(await shake('new.test', TLS12), 'refused');
    assert.notEqual(await shake('new.test', TLS13), 'refused');
    assert.notEqual(await shake('plain.test', TLS12), 'refused');
    await mesh?.close();
    const running = await start('minProtocolVersion: TLSV1_3');
    assert.equal(await shake('plain.test', TLS12), 'refused');
    assert.notEqual(await shake('plain.test', TLS13), 'refused');
    assert.notEqual(await shake('old.test', TLS12), 'refused', 'its own');
    assert.notEqual(await shake('most.test', TLS12), 'refused', 'it takes nothing newer');
    assert.equal(await reach(running, 'older'), 503);
    assert.equal(await reach(running, 'any'), 200);
    assert.ok(
      seen.every((one) => one.startsWith('TLSv1.3')),
      seen.join(),
    );
  });
});
