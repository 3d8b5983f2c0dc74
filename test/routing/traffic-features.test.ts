// Settings of DestinationRules, Sidecars and gateways that show in what servers are asked, through the real Envoy.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { eventually } from '../eventually.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';
import { httpsStatus } from './envoy/https-status.ts';
import { freePort } from './envoy/upstream.ts';

const rule = (policy: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: default}
spec: {host: app, trafficPolicy: ${policy}}
---`;
const ROUTES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: default}
spec: {hosts: [app.test], gateways: [gateway], http: [{retries: {attempts: 0}, route: [{destination: {host: app}}]}]}
---`;

describe('settings of traffic in the real Envoy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  let envoy = '';
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  let mesh: GatewayMesh | undefined;

  before(function () {
    envoy = envoyOrSkip(this);
  });
  afterEach(async () => {
    await mesh?.close();
    mesh = undefined;
  });
  after(() => rmSync(folder, { recursive: true }));

  /** How many of some requests each server got, when all that it answers is this status. */
  async function spread(running: GatewayMesh, status: number, requests: number): Promise<readonly number[]> {
    const before = [running.v1.seen.length, running.v2.seen.length];
    for (let n = 0; n < requests; n++) await running.get('app.test', '/', { headers: { 'x-answer': String(status) } });
    return [running.v1.seen.length - (before[0] ?? 0), running.v2.seen.length - (before[1] ?? 0)];
  }

  /** Some time after three answers in a row, since it is Envoy's main thread that ejects. Round robin would give it half of them. */
  async function ejects(running: GatewayMesh, status: number): Promise<void> {
    await eventually('a server gets nothing more', async () =>
      Math.min(...(await spread(running, status, 6))) === 0 ? true : undefined,
    );
  }

  for (const [codes, counted, spared] of [
    ['[404, 429]', 429, 503],
    ['[503]', 503, 500],
  ] as const) {
    it(`outlierDetectionHttpErrorCodes ${codes}: ${counted} ejects, ${spared} does not`, async () => {
      const detection = `{consecutive5xxErrors: 3, interval: 0.2s, baseEjectionTime: 60s, maxEjectionPercent: 100, outlierDetectionHttpErrorCodes: ${codes}}`;
      mesh = await startGatewayMesh(
        envoy,
        rule(`{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: ${detection}}`) + ROUTES,
      );
      assert.deepEqual(await spread(mesh, spared, 20), [10, 10]);
      // Three in a row, and the other has the rest.
      await ejects(mesh, counted);
    });
  }

  it('without them, answers from 500 on eject', async () => {
    const detection = '{consecutive5xxErrors: 3, interval: 0.2s, baseEjectionTime: 60s, maxEjectionPercent: 100}';
    mesh = await startGatewayMesh(envoy, rule(`{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: ${detection}}`) + ROUTES);
    assert.deepEqual(await spread(mesh, 429, 10), [5, 5]);
    await ejects(mesh, 500);
  });

  it('minHealthPercent: where fewer are left, those that were ejected are asked again', async () => {
    const detection =
      '{consecutive5xxErrors: 3, interval: 0.2s, baseEjectionTime: 60s, maxEjectionPercent: 100, minHealthPercent: 60}';
    mesh = await startGatewayMesh(envoy, rule(`{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: ${detection}}`) + ROUTES);
    assert.ok(Math.min(...(await spread(mesh, 500, 20))) > 5);
  });

  it('a body that is no text arrives byte by byte', async () => {
    const bytes = Buffer.from([0, 1, 2, 0xff, 0xfe, 0x80]);
    mesh = await startGatewayMesh(
      envoy,
      ROUTES.replace(
        'http: [',
        `http: [{match: [{uri: {exact: /bytes}}], directResponse: {status: 200, body: {bytes: ${bytes.toString('base64')}}}}, `,
      ),
    );
    const { body } = await mesh.get('app.test', '/bytes');
    assert.equal(body, bytes.toString('utf8'));
  });

  it('the PROXY protocol tells a gateway who called, and is asked for', async () => {
    const port = await freePort();
    const opened = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: announced, namespace: default}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: ${port}, name: http, protocol: HTTP}, hosts: ["*"]}]}
---`;
    mesh = await startGatewayMesh(envoy, opened + ROUTES.replace('[gateway]', '[announced]'), { gatewayProxyProtocol: true });
    const ask = async (announced: string): Promise<string> => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => socket.destroy());
      socket.write(`${announced}GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n`);
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of socket) chunks.push(Buffer.from(chunk as Uint8Array));
      } catch {
        return 'closed';
      }
      return Buffer.concat(chunks).toString();
    };
    const answer = await ask(`PROXY TCP4 203.0.113.7 198.51.100.1 4711 ${port}\r\n`);
    assert.match(answer, /^HTTP\/1.1 200/);
    assert.match(answer, /"x-forwarded-for":"203\.0\.113\.7"/);
    assert.doesNotMatch(await ask(''), /^HTTP\/1.1 200/);
  });

  for (const [what, demand] of [
    [
      'caCrl: a client whose certificate is revoked is refused, others are not',
      async (authority: TestAuthority, _: Issued, other: Issued) => `caCrl: ${file('crl.pem', await authority.revoke(other))}`,
    ],
    [
      'verifyCertificateHash: only the client with that certificate is let in',
      (_: TestAuthority, one: Issued) =>
        Promise.resolve(`verifyCertificateHash: ["${new X509Certificate(one.cert).fingerprint256.replaceAll(':', '')}"]`),
    ],
    [
      'verifyCertificateSpki: only the client with that key is let in',
      (_: TestAuthority, one: Issued) => {
        const key = new X509Certificate(one.cert).publicKey.export({ type: 'spki', format: 'der' });
        return Promise.resolve(`verifyCertificateSpki: ["${createHash('sha256').update(key).digest('base64')}"]`);
      },
    ],
  ] as const)
    it(what, async () => {
      const authority = await TestAuthority.create();
      const [good, revoked] = [await authority.issueForHost('good.test'), await authority.issueForHost('revoked.test')];
      const own = await authority.issueForHost('gate.test');
      const port = await freePort();
      const settings = [
        'mode: MUTUAL',
        `serverCertificate: ${file('gate.pem', own.cert)}`,
        `privateKey: ${file('gate.key', own.key)}`,
        `caCertificates: ${file('ca.pem', authority.root)}`,
        await demand(authority, good, revoked),
      ];
      mesh = await startGatewayMesh(
        envoy,
        `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: secure, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: ${port}, name: https, protocol: HTTPS}, hosts: [gate.test], tls: {${settings.join(', ')}}}]
---${ROUTES.replace('[gateway]', '[secure]').replace('app.test', 'gate.test')}`,
      );
      const ask = ({ cert, key }: Issued) =>
        httpsStatus({
          host: '127.0.0.1',
          port,
          servername: 'gate.test',
          headers: { host: 'gate.test' },
          ca: authority.root,
          cert,
          key,
        });
      assert.equal(await ask(good), 200);
      assert.equal(await ask(revoked), 'refused');
    });
});
