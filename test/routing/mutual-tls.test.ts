import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type Answer, type Call, call } from './envoy/call.ts';
import { CLIENT_APP, SERVER_POD, type SidecarMesh, startSidecarMesh } from './envoy/sidecar-mesh.ts';

const PROXY_PORT = 15_001;
const CLIENT_URI = 'URI=spiffe://cluster.local/ns/default/sa/client';

/** All that comes back over a connection until its end; undefined when it was reset. */
async function readAll(socket: Socket): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(Buffer.from(chunk as Uint8Array));
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}

describe('two sidecars in the real Envoy', function () {
  this.timeout(60_000);
  let running: SidecarMesh | undefined;
  const mesh = (): SidecarMesh => {
    assert.ok(running !== undefined);
    return running;
  };
  /** As the client's application sends it: to the HTTP proxy, in absolute form. */
  const proxied = (url: string, how?: Call): Promise<Answer> =>
    call(undefined, CLIENT_APP, PROXY_PORT, new URL(url).host, url, how);
  const direct = (port: number, path: string, how?: Call) => call(undefined, SERVER_POD, port, 'any.test', path, how);

  before(async function () {
    const envoy = envoyOrSkip(this);
    running = await startSidecarMesh(envoy);
  });

  after(() => running?.close());

  it('calls over mutual TLS and tells the application who called', async () => {
    const { http } = mesh().ports;
    for (const host of ['server', 'server.default', 'server.default.svc.cluster.local']) {
      const { status, path, seen } = await proxied(`http://${host}:${http}/x?y=z`);
      assert.equal(status, 200, host);
      assert.equal(path, '/x?y=z');
      assert.match(String(seen['x-forwarded-client-cert']), new RegExp(`${CLIENT_URI}$`));
    }
    const origin = await call(undefined, CLIENT_APP, PROXY_PORT, `server:${http}`, '/origin-form');
    assert.equal(origin.path, '/origin-form');
  });

  it('takes plain text on a permissive port, whoever it says it is', async () => {
    const forged = { 'x-forwarded-client-cert': CLIENT_URI };
    const { status, seen } = await direct(mesh().ports.http, '/', { headers: forged });
    assert.equal(status, 200);
    assert.equal(seen['x-forwarded-client-cert'], undefined);
    const { seen: byProxy } = await proxied(`http://server:${mesh().ports.http}/`, {
      headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/a/sa/admin' },
    });
    assert.ok(!String(byProxy['x-forwarded-client-cert']).includes('admin'));
  });

  it('takes nothing but mutual TLS on a strict port', async () => {
    const { strict } = mesh().ports;
    assert.equal((await proxied(`http://server:${strict}/`)).status, 200);
    await assert.rejects(direct(strict, '/'), /socket hang up|ECONNRESET/);
  });

  it('enforces policy on the path as the application will see it', async () => {
    const { http } = mesh().ports;
    for (const path of ['/secret', '/x/../secret', '/./secret', '/%73ecret']) {
      assert.equal(
        (await proxied(`http://server:${http}/`, {}).then(() => call(undefined, CLIENT_APP, PROXY_PORT, `server:${http}`, path)))
          .status,
        403,
        path,
      );
      assert.equal((await direct(http, path)).status, 403, path);
    }
    assert.equal((await direct(http, '/secrets')).status, 200);
  });

  it('does not talk to a server under another identity', async () => {
    const { status, server } = await proxied(`http://impostor:${mesh().ports.http}/`);
    assert.deepEqual([status, server], [503, undefined]);
  });

  async function handshake(port: number, options: ConnectionOptions): Promise<string | undefined> {
    const socket = connectTls({ host: SERVER_POD, port, rejectUnauthorized: false, ALPNProtocols: ['istio'], ...options });
    socket.write('GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n');
    return readAll(socket);
  }

  it('refuses clients without a certificate, of another trust domain, and without a SPIFFE ID', async () => {
    const { authority, ports } = mesh();
    assert.match(
      (await handshake(ports.strict, await authority.issue('spiffe://cluster.local/ns/a/sa/b'))) ?? '',
      /^HTTP\/1.1 200/,
    );
    for (const options of [
      {},
      await authority.issue('spiffe://elsewhere.test/ns/a/sa/b'),
      await authority.issue('spiffe://cluster.local.elsewhere.test/ns/a/sa/b'),
      await authority.issue('https://cluster.local/'),
    ]) {
      for (const port of [ports.strict, ports.http, ports.undeclared, ports.tcp]) {
        const answer = (await handshake(port, options)) ?? '';
        assert.equal(answer, '', `port ${port}`);
      }
    }
  });

  it('speaks HTTP to a port that declares nothing', async () => {
    const { undeclared } = mesh().ports;
    const { status, seen } = await proxied(`http://server:${undeclared}/`);
    assert.equal(status, 200);
    assert.match(String(seen['x-forwarded-client-cert']), new RegExp(CLIENT_URI));
    assert.equal((await direct(undeclared, '/')).status, 200);
  });

  it('carries bytes', async () => {
    const { tcp } = mesh().ports;
    for (const address of [CLIENT_APP, SERVER_POD]) {
      const socket = connect(tcp, address);
      socket.write('hello, server');
      const [echo] = (await once(socket, 'data')) as [Buffer];
      assert.equal(echo.toString(), 'hello, server');
      socket.destroy();
    }
  });

  it('passes TLS of the application through', async () => {
    const socket = connectTls({ host: SERVER_POD, port: mesh().ports.tls, rejectUnauthorized: false });
    assert.equal(await readAll(socket), 'application');
  });

  it('carries HTTP/2', async () => {
    const session = connectHttp2(`http://${CLIENT_APP}:${PROXY_PORT}`);
    const stream = session.request({ ':path': '/', ':authority': `server:${mesh().ports.grpc}` });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(headers[':status'], 200);
    assert.match(String(headers['x-forwarded-client-cert']), new RegExp(CLIENT_URI));
    stream.close();
    session.close();
  });

  it('upgrades to web sockets', async () => {
    const socket = connect(PROXY_PORT, CLIENT_APP);
    socket.write(`GET / HTTP/1.1\r\nHost: server:${mesh().ports.http}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 101/);
    socket.write('frame');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    assert.equal(echo.toString(), 'frame');
    socket.destroy();
  });

  it('says so when it is asked for itself', async () => {
    const { status, body } = await proxied('http://nobody.test:15001/');
    assert.equal(status, 502);
    assert.match(body, /no such host in the mesh/);
  });
});
