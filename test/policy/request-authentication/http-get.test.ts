import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { httpDocument, isForbidden } from '../../../cli/serve/jwks/http-get.ts';
import { findInMesh } from '../../../cli/serve/jwks/in-mesh.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('fetching key sets', () => {
  const running: Server[] = [];
  const get = httpDocument(() => undefined);

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    running.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  afterEach(() => {
    for (const server of running.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  const reason = async (url: string, timeoutMs = 2_000): Promise<string> => {
    const found = await get(new URL(url), timeoutMs);
    return found.ok ? `given: ${found.value.slice(0, 40)}` : found.reason;
  };

  it('follows redirects, a few', async () => {
    const url = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end('{"keys":[]}');
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    assert.equal(await reason(`${url}/5`), 'given: {"keys":[]}');
    assert.match(await reason(`${url}/6`), /redirects more than 5 times/);
  });

  it('does not follow them to where keys are not fetched from', async () => {
    for (const [to, why] of [
      ['file:///etc/passwd', /no http or https/],
      ['http://169.254.169.254/latest/meta-data', /link-local/],
      ['http://[fe80::1]/', /link-local/],
      ['http://[::ffff:169.254.169.254]/', /link-local/],
      ['http://[::ffff:a9fe:a9fe]/', /link-local/],
      ['http://2852039166/', /link-local/],
      ['http://0xa9.0xfe.0xa9.0xfe/', /link-local/],
    ] as const) {
      const url = await serve((_, response) => response.writeHead(301, { location: to }).end());
      assert.match(await reason(url), why, to);
    }
  });

  it('knows link-local addresses in every spelling', () => {
    for (const address of [
      '169.254.0.1',
      '169.254.169.254',
      'fe80::1',
      'fe80::1%eth0',
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
    ])
      assert.ok(isForbidden(address), address);
    for (const address of ['127.0.0.1', '10.0.0.1', '::1', '2001:db8::1', '169.253.0.1', '::ffff:10.0.0.1'])
      assert.ok(!isForbidden(address), address);
  });

  it('takes no answer but 200, none that is too large, too late or cut short', async () => {
    assert.match(await reason(await serve((_, response) => response.writeHead(404).end())), /404/);
    assert.match(await reason(await serve((_, response) => response.end('x'.repeat(2 ** 20 + 1)))), /larger than 1 MiB/);
    const endless = await serve((_, response) => {
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => clearInterval(timer));
    });
    assert.match(await reason(endless, 200), /no answer in time/);
    assert.match(await reason(await serve(() => undefined), 100), /no answer in time/);
    const cut = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"keys":');
      setImmediate(() => response.destroy());
    });
    assert.doesNotMatch(await reason(cut), /^given/);
    assert.match(await reason('http://127.0.0.1:1/'), /ECONNREFUSED/);
  });

  it('gives one time to all redirects together', async () => {
    const url = await serve((_, response) => {
      setTimeout(() => response.writeHead(302, { location: '/' }).end(), 60);
    });
    const began = performance.now();
    assert.match(await reason(url, 150), /no answer in time/);
    assert.ok(performance.now() - began < 1_000);
  });

  it('finds Services of the mesh without DNS', async () => {
    const url = await serve((request, response) => response.end(`{"host":"${request.headers.host}"}`));
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-jwks-'));
    try {
      const file = join(folder, 'mesh.yaml');
      writeFileSync(
        file,
        `apiVersion: v1
kind: Service
metadata: {name: login, namespace: auth}
spec: {selector: {app: login}, ports: [{name: http, port: 8000, targetPort: ${new URL(url).port}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: login, namespace: auth, labels: {app: login}}
spec: {containers: [{name: c, ports: [{containerPort: ${new URL(url).port}}]}]}
status: {podIP: 127.0.0.1, phase: Running}
`,
      );
      const { snapshot } = loadMesh({ paths: [file], meshConfigFile: undefined });
      const inMesh = httpDocument(findInMesh(() => snapshot));
      for (const name of ['login.auth', 'login.auth.svc', 'login.auth.svc.cluster.local']) {
        const found = await inMesh(new URL(`http://${name}:8000/keys`), 2_000);
        assert.deepEqual(found, { ok: true, value: `{"host":"${name}:8000"}` });
      }
      const other = await inMesh(new URL('http://other.auth.svc.cluster.local:8000/keys'), 2_000);
      assert.equal(other.ok, false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
