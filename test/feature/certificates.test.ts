// Certificates at the edge of a whole mesh: of an Ingress with several hosts, of a Gateway with several certificates, and of a Gateway of the
// Gateway API toward its backends. The Secrets and what grants them stand in folders of their own.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { stringify } from 'yaml';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { eventually } from '../eventually.ts';
import { listening } from '../routing/envoy/listening.ts';
import { freePort } from '../routing/envoy/upstream.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { serverStatus } from './pair.ts';
import { get, RunningMesh, root } from './running-mesh.ts';

const secret = (namespace: string, name: string, { cert, key }: Issued): string =>
  `---\n${stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': cert, 'tls.key': key },
  })}`;

const path = (written: string, service: string): string =>
  `{path: ${written}, pathType: Prefix, backend: {service: {name: ${service}, port: {number: 8080}}}}`;

const INGRESS = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: pair, annotations: {kubernetes.io/ingress.class: istio}}
spec:
  tls:
  - {hosts: [one.test, two.test], secretName: first}
  - {hosts: ["*.wild.test"], secretName: second}
  - {hosts: [absent.test], secretName: absent}
  rules:
  - {host: one.test, http: {paths: [${path('/', 'client')}]}}
  - {host: two.test, http: {paths: [${path('/only', 'client')}]}}
  - {host: "*.wild.test", http: {paths: [${path('/', 'client')}]}}
  - {host: absent.test, http: {paths: [${path('/', 'client')}]}}
`;

const several = (port: number): string => `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: several, namespace: pair}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: ${port}, name: https, protocol: HTTPS}, hosts: [several.test], tls: {mode: SIMPLE, credentialNames: [rsa, ecdsa]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: several, namespace: pair}
spec: {hosts: [several.test], gateways: [several], http: [{route: [{destination: {host: client}}]}]}
`;

/** Two Gateways of one class, of which one shows a certificate to the backend, which asks for one. */
const toBackend = (ports: readonly [number, number], backend: number, authority: TestAuthority): string => `---
${[
  ['showing', ports[0], 'tls: {backend: {clientCertificateRef: {name: shown, namespace: keys}}}, '],
  ['silent', ports[1], ''],
]
  .map(
    ([name, port, tls]) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: pair}
spec: {gatewayClassName: gatehouse, ${tls}listeners: [{name: http, port: ${port}, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: pair}
spec: {parentRefs: [{name: ${name}}], rules: [{backendRefs: [{name: backend, port: 443}]}]}
---`,
  )
  .join('')}
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: pair}
spec: {ports: [{name: http, port: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: backend-1, namespace: pair, labels: {kubernetes.io/service-name: backend}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1]}]
ports: [{name: http, port: ${backend}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: backend, namespace: pair}
spec:
  targetRefs: [{group: "", kind: Service, name: backend}]
  validation: {hostname: backend.test, caCertificateRefs: [{group: "", kind: ConfigMap, name: backend}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: backend, namespace: pair}
data: {ca.crt: ${JSON.stringify(authority.root)}}
`;

const GRANT = `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: gateways, namespace: keys}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: pair}]
  to: [{group: "", kind: Secret, name: shown}]
`;

interface Shown {
  readonly serial: string;
  readonly status: string;
}

inBothCaptureModes('certificates at the edge of a whole mesh', (capture) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-certificates-'));
  const [rules, secrets, grants] = ['rules', 'secrets', 'grants'].map((name) => join(folder, name));
  /** Who called the backend, by the name in its certificate. */
  const callers: string[] = [];
  let authority: TestAuthority;
  let mesh: RunningMesh | undefined;
  let backend: { readonly port: number; close(): Promise<void> } | undefined;
  let [showing, silent, both] = [0, 0, 0];

  before(async () => {
    assert.ok(rules !== undefined && secrets !== undefined && grants !== undefined);
    authority = await TestAuthority.create();
    const own = await authority.issueForHost('backend.test');
    const server = createServer(
      { ...own, ca: authority.root, requestCert: true, rejectUnauthorized: true },
      ({ socket }, response) => {
        callers.push((socket as TLSSocket).getPeerCertificate().subjectaltname ?? '');
        response.end('{}');
      },
    );
    backend = await listening(server);
    [showing, silent, both] = [await freePort(), await freePort(), await freePort()];
    for (const one of [rules, secrets, grants]) mkdirSync(one);
    writeFileSync(join(rules, 'rules.yaml'), INGRESS + several(both) + toBackend([showing, silent], backend.port, authority));
    const issued = [
      secret('istio-system', 'first', await authority.issueForHost('one.test', 'two.test')),
      secret('istio-system', 'second', await authority.issueForHost('*.wild.test')),
      secret('istio-system', 'rsa', await authority.issueRsa('several.test')),
      secret('istio-system', 'ecdsa', await authority.issueForHost('several.test')),
      secret('keys', 'shown', await authority.issueForHost('gateway.test')),
    ];
    writeFileSync(join(secrets, 'secrets.yaml'), issued.join(''), { mode: 0o600 });
    const pair = join(root, 'test', 'feature', 'meshes', 'pair');
    const meshConfig = join(folder, 'mesh-config.yaml');
    writeFileSync(meshConfig, 'meshMTLS: {minProtocolVersion: TLSV1_3, ecdhCurves: [P-384]}\n');
    const flags = ['-f', secrets, '-f', grants, '--mesh-config', meshConfig];
    mesh = await RunningMesh.start([pair, rules], capture, flags);
  });
  after(async () => {
    await mesh?.stop();
    await backend?.close();
    rmSync(folder, { recursive: true });
  });

  const at = (port: number): number => {
    const address = mesh?.ready.gatewayPorts[String(port)];
    assert.ok(address !== undefined, JSON.stringify(mesh?.ready.gatewayPorts));
    return Number(address.split(':').at(-1));
  };

  async function ask(port: number, host: string, options: ConnectionOptions = {}, where = '/'): Promise<Shown | undefined> {
    const socket = connect({ host: '127.0.0.1', port: at(port), servername: host, ca: authority.root, ...options });
    socket.setTimeout(8_000, () => socket.destroy());
    try {
      await once(socket, 'secureConnect');
      const serial = socket.getPeerCertificate().serialNumber;
      socket.write(`GET ${where} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
      let text = '';
      for await (const chunk of socket) text += String(chunk);
      return { serial, status: text.slice(9, 12) };
    } catch {
      return undefined;
    } finally {
      socket.destroy();
    }
  }

  it('an Ingress: each host with its Secret, its own paths, and nothing for a host without a certificate', async () => {
    const one = await eventually('the first host', () => ask(443, 'one.test'));
    const two = await ask(443, 'two.test', {}, '/only');
    const wild = await eventually('the wildcard', () => ask(443, 'a.wild.test'));
    assert.deepEqual([one.status, two?.status, wild.status], ['200', '200', '200'], mesh?.log());
    assert.equal(two?.serial, one.serial);
    assert.notEqual(wild.serial, one.serial);
    assert.equal((await ask(443, 'two.test', {}, '/other'))?.status, '404');
    assert.equal(await ask(443, 'unknown.test'), undefined);
    assert.equal(await ask(443, 'absent.test'), undefined, 'its Secret is not there');
    const plain = await get(mesh?.gateway ?? '', '/', { host: 'one.test' });
    assert.equal(plain.status, 200, 'an Ingress without a redirect takes HTTP too');
  });

  it('a Gateway with two certificates: each client gets the one that it can check', async () => {
    const tls12 = { maxVersion: 'TLSv1.2' } as const;
    const rsa = await eventually('RSA', () => ask(both, 'several.test', { ...tls12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }));
    const ecdsa = await eventually('ECDSA', () =>
      ask(both, 'several.test', { ...tls12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }),
    );
    assert.deepEqual([rsa.status, ecdsa.status], ['200', '200']);
    assert.notEqual(rsa.serial, ecdsa.serial);
    const tls13 = { minVersion: 'TLSv1.3' } as const;
    assert.equal((await ask(both, 'several.test', { ...tls13, sigalgs: 'rsa_pss_rsae_sha256' }))?.serial, rsa.serial);
    assert.equal((await ask(both, 'several.test', { ...tls13, sigalgs: 'ecdsa_secp256r1_sha256' }))?.serial, ecdsa.serial);
    assert.equal((await ask(both, 'several.test'))?.serial, ecdsa.serial, 'ECDSA where both will do');
  });

  it("the mesh's own TLS is what meshMTLS says, and everybody finds each other", async () => {
    assert.ok(mesh !== undefined);
    const reply = await get(mesh.gateway, '/call?url=http://server:8080/', { host: 'one.test' });
    assert.deepEqual([reply.status, serverStatus(reply)], [200, '200'], mesh.log());
    const { ip } = mesh.workload('pair/server');
    const curve = async (options: ConnectionOptions): Promise<unknown> => {
      const socket = connect({ host: ip, port: 8080, rejectUnauthorized: false, ALPNProtocols: ['istio'], ...options });
      try {
        await once(socket, 'secureConnect');
        return { version: socket.getProtocol(), ...socket.getEphemeralKeyInfo() };
      } catch {
        return 'refused';
      } finally {
        socket.destroy();
      }
    };
    assert.deepEqual(await curve({}), { version: 'TLSv1.3', type: 'ECDH', name: 'secp384r1', size: 384 });
    assert.equal(await curve({ maxVersion: 'TLSv1.2' }), 'refused');
    assert.equal(await curve({ ecdhCurve: 'X25519:P-256' }), 'refused');
  });

  it('a Gateway of the Gateway API shows its certificate to a backend that asks for one, while it is granted', async () => {
    assert.ok(mesh !== undefined && grants !== undefined);
    const running = mesh;
    const status = async (gateway: string): Promise<number> => {
      const [address = ''] = Object.values(running.ready.deployedGateways?.[`pair/${gateway}`] ?? {});
      return (await get(address, '/', { host: 'any.test' })).status;
    };
    await eventually('both gateways', async () => (await status('showing')) >= 200 && (await status('silent')) >= 200);
    assert.deepEqual([await status('showing'), await status('silent'), callers], [503, 503, []], running.log());
    writeFileSync(join(grants, 'grant.yaml'), GRANT);
    await eventually('the certificate', async () => ((await status('showing')) === 200 ? true : undefined));
    assert.ok(callers.every((one) => one === 'DNS:gateway.test'));
    assert.equal(await status('silent'), 503, "a Gateway beside it does not show the other's");
    rmSync(join(grants, 'grant.yaml'));
    await eventually('no certificate', async () => ((await status('showing')) === 503 ? true : undefined));
  });
});
