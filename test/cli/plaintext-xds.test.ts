import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, credentials, status } from '@grpc/grpc-js';
import { isLoopback, parseListenAddress } from '../../cli/options/address.ts';
import { CLUSTER, LISTENER, SECRET } from '../../xds/resource-set.ts';
import { get, root } from '../feature/running-mesh.ts';
import { DeltaClient } from '../xds/stream/client.ts';

const MESH = `
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {serviceAccountName: web, containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.0.0.5}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
`;

interface Ready {
  readonly plaintextXds: string | null;
  readonly http: string;
}

describe('gatehouse serve --plaintext-xds', function () {
  this.timeout(30_000);
  let dir: string;
  let child: ChildProcess | undefined;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-plaintext-'));
    mkdirSync(join(dir, 'mesh'));
    writeFileSync(join(dir, 'mesh', 'mesh.yaml'), MESH);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  afterEach(async () => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const exit = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGTERM');
    assert.equal(await exit, 0);
  });

  function run(...more: readonly string[]): { readonly out: () => Promise<Ready>; readonly err: () => string } {
    const flags = ['serve', '-f', join(dir, 'mesh'), '--ca-dir', join(dir, 'ca'), '--audit-db', join(dir, 'audit.db')];
    const addresses = ['--grpc-address', '127.0.0.1:0', '--http-address', '127.0.0.1:0'];
    const main = ['--disable-warning=ExperimentalWarning', join(root, 'cli', 'main.ts')];
    const started = spawn(process.execPath, [...main, ...flags, ...addresses, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
    child = started;
    let err = '';
    started.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    return {
      err: () => err,
      out: async () => {
        for await (const line of createInterface({ input: started.stdout })) {
          const ready: Ready = JSON.parse(line);
          return ready;
        }
        return assert.fail(`serve ended before it was ready: ${err}`);
      },
    };
  }

  it('serves a pod by its node id, says so loudly, and gives out neither certificates nor the trust of agents', async () => {
    const { out, err } = run('--plaintext-xds', '127.0.0.1:0');
    const { plaintextXds, http } = await out();
    assert.ok(plaintextXds !== null);
    assert.match(err(), /"level":40[^\n]*xDS IS SERVED IN PLAIN TEXT/);

    const web = new DeltaClient(plaintextXds);
    web.ask(CLUSTER);
    const clusters = await web.next();
    assert.ok(clusters.resources.some(({ name }) => name === 'outbound|80||web.shop.svc.cluster.local'));
    web.answer(clusters);
    web.ask(LISTENER);
    assert.ok((await web.next()).resources.length > 0);
    const { proxies }: { readonly proxies: readonly { readonly identity: unknown }[] } = JSON.parse(
      (await get(http, '/debug/syncz')).body,
    );
    assert.deepEqual(
      proxies.map(({ identity }) => identity),
      [null],
    );
    web.close();

    const agent = new DeltaClient(plaintextXds);
    agent.ask(SECRET, ['ROOTCA'], 'agent~one');
    assert.equal((await agent.end()).code, status.PERMISSION_DENIED);
    agent.close();

    const same = (bytes: Buffer): Buffer => bytes;
    const client = new Client(plaintextXds, credentials.createInsecure());
    const code = await new Promise((resolve) =>
      client.makeUnaryRequest(
        '/istio.v1.auth.IstioCertificateService/CreateCertificate',
        same,
        same,
        Buffer.alloc(0),
        (error: unknown) => resolve(typeof error === 'object' && error !== null && 'code' in error ? error.code : 'answered'),
      ),
    );
    client.close();
    assert.equal(code, status.UNIMPLEMENTED);
  });

  it('is off without the flag', async () => {
    assert.equal((await run().out()).plaintextXds, null);
  });

  for (const [flags, message] of [
    [
      ['--plaintext-xds', '0.0.0.0:0'],
      /--plaintext-xds: 0\.0\.0\.0:0 can be reached from other machines.*--plaintext-xds-anywhere/,
    ],
    [['--plaintext-xds', ':0'], /can be reached from other machines/],
    [['--plaintext-xds', 'elsewhere:1'], /--plaintext-xds: .*no IP address/],
    [['--plaintext-xds-anywhere'], /--plaintext-xds-anywhere needs --plaintext-xds/],
  ] as const) {
    it(`refuses ${flags.join(' ')} as wrong usage`, async () => {
      const { err } = run(...flags);
      const code = await new Promise((resolve) => child?.once('exit', resolve));
      assert.equal(code, 2);
      assert.match(err(), message);
    });
  }
});

describe('loopback addresses', () => {
  for (const [text, loopback] of [
    ['127.0.0.1:1', true],
    ['127.9.8.7:1', true],
    ['localhost:1', true],
    ['[::1]:1', true],
    ['0.0.0.0:1', false],
    [':1', false],
    ['10.0.0.1:1', false],
    ['[::]:1', false],
    ['[fe80::1]:1', false],
  ] as const) {
    it(`${text}: ${loopback ? 'yes' : 'no'}`, () => {
      const address = parseListenAddress(text);
      assert.equal(address.ok && isLoopback(address.value), loopback);
    });
  }
});
