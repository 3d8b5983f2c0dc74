import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { createServer as createTcpServer, connect as connectTcp, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer as createTlsServer, type ConnectionOptions } from 'node:tls';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';
import { freePort } from './envoy/upstream.ts';
import { surviveResets } from '../survive-resets.ts';

const HTTP = 'http: [{route: [{destination: {host: app, subset: v1}}]}]';

const virtual = (name: string, hosts: string, routes: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: default}
spec: {hosts: [${hosts}], gateways: [secure], ${routes}}
---`;

const outside = (name: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.outside.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: ${port}, name: tcp, protocol: TCP}]
  endpoints: [{address: 127.0.0.1}]
---`;

describe('gateways with TLS and TCP in the real Envoy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const servers: Server[] = [];
  let mesh: GatewayMesh | undefined;
  let authority: TestAuthority;
  let client: Issued;
  let stranger: Issued;
  let [https, tls, tcp] = [0, 0, 0];

  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const listening = async (server: Server, port: number): Promise<void> => {
    servers.push(surviveResets(server));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const pairOf = async (host: string): Promise<string> => {
    const { cert, key } = await authority.issueForHost(host);
    return `serverCertificate: ${file(`${host}.pem`, cert)}, privateKey: ${file(`${host}.key`, key)}`;
  };

  before(async function () {
    this.timeout(60_000);
    const envoy = envoyOrSkip(this);
    authority = await TestAuthority.create();
    client = await authority.issueForHost('client.test');
    stranger = await (await TestAuthority.create()).issueForHost('client.test');
    [https, tls, tcp] = [await freePort(), await freePort(), await freePort()];
    const [own, one, two] = [await freePort(), await freePort(), await freePort()];
    const { cert, key } = await authority.issueForHost('through.test');
    await listening(
      createTlsServer({ cert, key }, (socket) => socket.end('the application ends this')),
      own,
    );
    for (const [name, port] of [
      ['one', one],
      ['two', two],
    ] as const)
      await listening(
        createTcpServer((socket) => socket.end(name)),
        port,
      );
    const ca = `caCertificates: ${file('ca.pem', authority.root)}`;
    const server = (number: number, name: string, protocol: string, host: string, settings: string) =>
      `  - {port: {number: ${number}, name: ${name}, protocol: ${protocol}}, hosts: ["${host}"]${settings === '' ? '' : `, tls: {${settings}}`}}`;
    mesh = await startGatewayMesh(
      envoy,
      `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: default}
spec: {host: app, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: secure, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
${server(https, 'simple', 'HTTPS', 'simple.test', `mode: SIMPLE, ${await pairOf('simple.test')}`)}
${server(https, 'mutual', 'HTTPS', 'mutual.test', `mode: MUTUAL, ${await pairOf('mutual.test')}, ${ca}`)}
${server(https, 'named', 'HTTPS', 'named.test', `mode: MUTUAL, ${await pairOf('named.test')}, ${ca}, subjectAltNames: [other.test]`)}
${server(https, 'optional', 'HTTPS', 'optional.test', `mode: OPTIONAL_MUTUAL, ${await pairOf('optional.test')}, ${ca}`)}
${server(https, 'through', 'TLS', '*.through.test', 'mode: PASSTHROUGH')}
${server(https, 'exact', 'TLS', 'through.test', 'mode: PASSTHROUGH')}
${server(tls, 'ended', 'TLS', 'ended.test', `mode: SIMPLE, ${await pairOf('ended.test')}, minProtocolVersion: TLSV1_3`)}
${server(tcp, 'tcp', 'TCP', '*', '')}
---
${outside('app-tls', own)}
${outside('one', one)}
${outside('two', two)}
${virtual('simple', 'simple.test', HTTP)}
${virtual('mutual', 'mutual.test, named.test, optional.test', HTTP.replace('v1', 'v2'))}
${virtual('through', 'through.test', `tls: [{match: [{port: ${https}, sniHosts: [through.test]}], route: [{destination: {host: app-tls.outside.test}}]}]`)}
${virtual('ended', 'ended.test', `tcp: [{match: [{port: ${tls}}], route: [{destination: {host: one.outside.test}}]}]`)}
${virtual(
  'tcp',
  '"tcp.test"',
  `tcp: [{match: [{port: 1}], route: [{destination: {host: app-tls.outside.test}}]}, {match: [{port: ${tcp}}], route: [{destination: {host: one.outside.test}, weight: 50}, {destination: {host: two.outside.test}, weight: 50}]}]`,
)}
`,
    );
  });
  after(async () => {
    await mesh?.close();
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true });
  });

  /** The status and the answering version, or what kept the connection from being made. */
  async function ask(host: string, shown?: Issued, asked = host): Promise<string> {
    const outgoing = request({
      host: '127.0.0.1',
      port: https,
      servername: host,
      headers: { host: asked },
      ca: authority.root,
      agent: false,
      ...(shown === undefined ? {} : { cert: shown.cert, key: shown.key }),
    });
    outgoing.end();
    try {
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(Buffer.from(chunk as Uint8Array));
      const body = Buffer.concat(chunks).toString();
      return response.statusCode === 200 ? (JSON.parse(body) as { readonly server: string }).server : String(response.statusCode);
    } catch {
      return 'refused';
    }
  }

  /** All that the other side sends. */
  async function read(port: number, options: ConnectionOptions | undefined): Promise<string> {
    const socket =
      options === undefined
        ? connectTcp(port, '127.0.0.1')
        : connect({ host: '127.0.0.1', port, ca: authority.root, ...options });
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(Buffer.from(chunk as Uint8Array));
      return Buffer.concat(chunks).toString();
    } catch {
      return 'refused';
    }
  }

  it('show the certificate of the server that the client names, and have its routes', async () => {
    assert.equal(await ask('simple.test'), 'v1');
    assert.equal(await ask('mutual.test', client), 'v2');
    assert.equal(await ask('unknown.test'), 'refused');
    assert.equal(await ask('simple.test', undefined, 'mutual.test'), '404', "another server's host must not be reached");
  });

  it('take only clients with a certificate where it is required', async () => {
    assert.equal(await ask('mutual.test'), 'refused');
    assert.equal(await ask('mutual.test', stranger), 'refused');
    assert.equal(await ask('named.test', client), 'refused', 'the name in the certificate is another');
  });

  it('take clients with and without a certificate where it is optional, never with a wrong one', async () => {
    assert.equal(await ask('optional.test'), 'v2');
    assert.equal(await ask('optional.test', client), 'v2');
    assert.equal(await ask('optional.test', stranger), 'refused');
  });

  it('pass TLS through by server name', async () => {
    assert.equal(await read(https, { servername: 'through.test' }), 'the application ends this');
    assert.equal(await read(https, { servername: 'a.through.test' }), 'refused');
  });

  it('end TLS for a server of bytes, in the versions asked for', async () => {
    assert.equal(await read(tls, { servername: 'ended.test' }), 'one');
    assert.equal(await read(tls, { servername: 'ended.test', maxVersion: 'TLSv1.2' }), 'refused');
  });

  it('share TCP connections by weight, by the first route that holds', async () => {
    const found = await Promise.all(Array.from({ length: 60 }, () => read(tcp, undefined)));
    assert.deepEqual([...new Set(found)].sort(), ['one', 'two']);
  });
});
