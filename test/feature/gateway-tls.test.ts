// A gateway that ends TLS: its certificate is a Secret beside the configuration, and may be renewed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { stringify } from 'yaml';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { eventually } from '../eventually.ts';
import { freePort } from '../routing/envoy/upstream.ts';
import { RunningMesh, root } from './running-mesh.ts';

function secret({ cert, key }: Issued): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shop-cert', namespace: 'istio-system' },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': cert, 'tls.key': key },
  });
}

const routes = (port: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: secure, namespace: pair}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: ${port}, name: https, protocol: HTTPS}, hosts: [shop.test], tls: {mode: SIMPLE, credentialName: shop-cert}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: secure, namespace: pair}
spec: {hosts: [shop.test], gateways: [secure], http: [{route: [{destination: {host: server}}]}]}
`;

interface Shown {
  readonly serial: string;
  readonly status: string;
}

function ask(port: number, ca: string): Promise<Shown | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'shop.test', ca }, () =>
      socket.write('GET / HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n'),
    );
    socket.setTimeout(5_000, () => socket.destroy());
    let text = '';
    const serial = () => socket.getPeerCertificate().serialNumber;
    let shown = '';
    socket.once('secureConnect', () => (shown = serial()));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => resolve(text === '' ? undefined : { serial: shown, status: text.slice(0, 12) }));
  });
}

describe('a gateway with TLS in a whole mesh', function () {
  this.timeout(120_000);
  let mesh: RunningMesh | undefined;
  let authority: TestAuthority;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-gateway-'));
  let port = 0;

  before(async () => {
    authority = await TestAuthority.create();
    port = await freePort();
    writeFileSync(join(folder, 'routes.yaml'), routes(port));
    mesh = await RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'pair'), folder], 'explicit', [
      '--gateway-port',
      String(await freePort()),
    ]);
  });
  after(async () => {
    await mesh?.stop();
    rmSync(folder, { recursive: true });
  });

  it('is closed without its Secret, shows it once it is there, and the next one when it is renewed', async () => {
    assert.ok(mesh !== undefined);
    const { dir } = mesh;
    assert.equal(await ask(port, authority.root), undefined);
    const first = await authority.issueForHost('shop.test');
    writeFileSync(join(dir, 'secret.yaml'), secret(first), { mode: 0o600 });
    const answered = await eventually('the first certificate', () => ask(port, authority.root));
    assert.match(answered.status, /^HTTP\/1\.1 200/);
    writeFileSync(join(dir, 'secret.yaml'), secret(await authority.issueForHost('shop.test')), { mode: 0o600 });
    await eventually('the second certificate', async () => {
      const next = await ask(port, authority.root);
      return next !== undefined && next.serial !== answered.serial ? true : undefined;
    });
  });
});
