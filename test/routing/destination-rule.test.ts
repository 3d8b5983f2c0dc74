import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';

/** A Service of its own in front of the two versions, with this traffic policy, reached as NAME.test. */
const toward = (name: string, trafficPolicy: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {selector: {app: app}, ports: [{name: http, port: 8000, targetPort: web}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: default}
spec: {host: ${name}, trafficPolicy: ${trafficPolicy}}
---
${reached(name, name)}`;

const reached = (name: string, host: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.test]
  gateways: [gateway]
  http: [{rewrite: {authority: ${host}}, route: [{destination: {host: ${host}}}]}]
---`;

const bank = (name: string, port: number, tls: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.example.org]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 443, name: http, protocol: HTTP, targetPort: ${port}}]
  endpoints: [{address: 127.0.0.1, ports: {http: ${port}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: default}
spec: {host: ${name}.example.org, trafficPolicy: {tls: {${tls}}}}
---
${reached(name, `${name}.example.org`)}`;

describe('DestinationRules in the real Envoy', () => {
  let mesh: GatewayMesh | undefined;
  let server: Server | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));

  before(async function () {
    this.timeout(60_000);
    const envoy = envoyOrSkip(this);
    const authority = await TestAuthority.create();
    const [own, client] = [await authority.issueForHost('bank.example.org'), await authority.issueForHost('client.test')];
    for (const [name, text] of Object.entries({ 'ca.pem': authority.root, 'client.pem': client.cert, 'client.key': client.key }))
      writeFileSync(join(folder, name), text, { mode: 0o600 });
    server = createServer({ cert: own.cert, key: own.key, ca: authority.root, requestCert: true, rejectUnauthorized: false });
    server.on('request', ({ socket }, response) => {
      const verified = 'authorized' in socket && socket.authorized === true;
      const sni = 'servername' in socket ? String(socket.servername) : '';
      response.end(JSON.stringify({ server: 'bank', path: sni, headers: { 'x-verified': String(verified) } }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ca = `caCertificates: ${join(folder, 'ca.pem')}`;
    const pair = `clientCertificate: ${join(folder, 'client.pem')}, privateKey: ${join(folder, 'client.key')}`;
    mesh = await startGatewayMesh(
      envoy,
      [
        toward('header', '{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}'),
        toward('cookie', '{loadBalancer: {consistentHash: {httpCookie: {name: session, path: /, ttl: 60s}}}}'),
        toward('query', '{loadBalancer: {consistentHash: {httpQueryParameterName: user, maglev: {tableSize: 1009}}}}'),
        toward('address', '{loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 2048}}}'),
        toward(
          'warm',
          '{loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s, minimumPercent: 10, aggression: 1.5}}, connectionPool: {tcp: {tcpKeepalive: {probes: 3, time: 60s}, maxConnectionDuration: 60s}, http: {maxConcurrentStreams: 10}}, retryBudget: {percent: 25}}',
        ),
        bank('bank', port, `mode: SIMPLE, ${ca}`),
        bank('known', port, `mode: SIMPLE, ${ca}, sni: bank.example.org, subjectAltNames: [bank.example.org]`),
        bank('mutual', port, `mode: MUTUAL, ${ca}, ${pair}, sni: bank.example.org, subjectAltNames: [bank.example.org]`),
        bank('impostor', port, `mode: SIMPLE, ${ca}`),
        bank('unknown', port, 'mode: SIMPLE, subjectAltNames: [bank.example.org]'),
        bank('unchecked', port, 'mode: SIMPLE, insecureSkipVerify: true'),
      ].join('\n'),
    );
  });
  after(async () => {
    await mesh?.close();
    server?.closeAllConnections();
    server?.close();
    rmSync(folder, { recursive: true });
  });

  const started = (): GatewayMesh => {
    assert.ok(mesh !== undefined);
    return mesh;
  };

  /** The servers that each of 24 callers met in four requests. */
  async function met(ask: (caller: number) => Promise<string | undefined>): Promise<readonly (readonly string[])[]> {
    const found: string[][] = [];
    for (let caller = 0; caller < 24; caller += 1) {
      const servers = new Set<string>();
      for (let again = 0; again < 4; again += 1) servers.add((await ask(caller)) ?? 'none');
      found.push([...servers]);
    }
    return found;
  }

  function affine(found: readonly (readonly string[])[]): void {
    assert.deepEqual(
      found.filter((servers) => servers.length > 1),
      [],
    );
    assert.deepEqual([...new Set(found.flat())].sort(), ['v1', 'v2']);
  }

  it('keep a user at one endpoint by a header, in a ring', async () => {
    affine(
      await met(async (caller) => {
        const { server: name } = await started().get('header.test', '/', { headers: { 'x-user': `user-${caller}` } });
        return name;
      }),
    );
  });

  it('keep a user at one endpoint by a query parameter, in a Maglev table', async () => {
    affine(await met(async (caller) => (await started().get('query.test', `/?user=user-${caller}`)).server));
  });

  it('give a client a cookie that keeps it at its endpoint', async () => {
    const first = await started().get('cookie.test', '/');
    const [cookie = ''] = first.headers['set-cookie'] ?? [];
    assert.match(cookie, /^session=/);
    assert.match(cookie, /Max-Age=60/);
    const again = await met(
      async () => (await started().get('cookie.test', '/', { headers: { cookie: cookie.split(';')[0] ?? '' } })).server,
    );
    assert.deepEqual([...new Set(again.flat())], [first.server]);
  });

  it('keep an address at one endpoint', async () => {
    assert.equal(new Set((await met(async () => (await started().get('address.test', '/')).server)).flat()).size, 1);
  });

  it('take warm-up, keepalives, limits of streams and retry budgets', async () => {
    const found = await met(async () => (await started().get('warm.test', '/')).server);
    assert.deepEqual([...new Set(found.flat())].sort(), ['v1', 'v2']);
  });

  it('speak TLS to a server outside, and name it', async () => {
    const { status, server: name, path } = await started().get('bank.test', '/');
    assert.deepEqual({ status, name, sni: path }, { status: 200, name: 'bank', sni: 'bank.example.org' });
    assert.equal((await started().get('known.test', '/')).server, 'bank');
  });

  it('show a client certificate where they say MUTUAL', async () => {
    assert.equal((await started().get('known.test', '/')).seen['x-verified'], 'false');
    assert.equal((await started().get('mutual.test', '/')).seen['x-verified'], 'true');
  });

  it('call no server with another name, and none under other authorities', async () => {
    assert.equal((await started().get('impostor.test', '/')).status, 503);
    assert.equal((await started().get('unknown.test', '/')).status, 503);
  });

  it('leave a server unchecked only where they say so', async () => {
    assert.equal((await started().get('unchecked.test', '/')).server, 'bank');
  });
});
