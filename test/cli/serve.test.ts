import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseListenAddress } from '../../cli/options/address.ts';
import { get, root, runGatehouse } from '../feature/running-mesh.ts';

describe('gatehouse serve', function () {
  this.timeout(30_000);
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-serve-'));
    mkdirSync(join(dir, 'mesh'));
    writeFileSync(join(dir, 'mesh', 'a.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const flags = (): readonly string[] => [
    ...['serve', '-f', join(dir, 'mesh'), '--ca-dir', join(dir, 'ca'), '--audit-db', join(dir, 'audit.db')],
    ...['--grpc-address', '127.0.0.1:0', '--http-address', '127.0.0.1:0', '--page-address', '127.0.0.1:0'],
  ];

  interface Ready {
    readonly child: ChildProcess;
    readonly http: string;
    readonly page: string;
    readonly rootCert: string;
  }

  async function start(): Promise<Ready> {
    const main = join(root, 'dist', 'cli', 'main.js');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...flags()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const ready: Omit<Ready, 'child'> & { ready: boolean } = JSON.parse(line);
      assert.equal(ready.ready, true);
      return { child, ...ready };
    }
    return assert.fail('serve ended before it was ready');
  }

  const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', resolve));

  it('prints one line when ready, answers health, metrics, syncz and the page, and ends with 0 on SIGTERM', async () => {
    const { child, http, page, rootCert } = await start();
    const exit = ended(child);
    try {
      assert.equal((await get(http, '/healthz')).status, 200);
      assert.match((await get(http, '/metrics')).body, /^gatehouse_snapshot_number [1-9]/m);
      const syncz: { proxies: unknown; namespaces: unknown } = JSON.parse((await get(http, '/debug/syncz')).body);
      assert.deepEqual(syncz.proxies, []);
      assert.deepEqual(syncz.namespaces, ['a']);
      assert.equal((await get(page, '/')).status, 200);
      assert.equal(statSync(join(dir, 'ca', 'ca-key.pem')).mode & 0o777, 0o600);
      assert.ok(statSync(rootCert).isFile());
    } finally {
      child.kill('SIGTERM');
    }
    assert.equal(await exit, 0);
  });

  it('says which address is taken and what to do', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    assert.ok(typeof address === 'object' && address !== null);
    try {
      const outcome = await runGatehouse(...flags(), '--grpc-address', `127.0.0.1:${String(address.port)}`);
      assert.equal(outcome.code, 1);
      assert.match(outcome.stderr, /cannot listen on 127\.0\.0\.1:\d+.*--grpc-address/);
    } finally {
      taken.close();
    }
  });

  for (const [wrong, message] of [
    [['--certificate-ttl', '9999h'], /--certificate-ttl/],
    [['--audit-retention', '5s'], /--audit-retention: 5s is not 1h or more/],
    [['--http-address', 'example.com:1'], /--http-address: .*no IP address/],
    [['--jwks', 'keys.json'], /--jwks needs --token-issuer/],
    [['--upstream', 'vault=http://127.0.0.1:8200'], /--upstream: .* is neither vault=https/],
    [['--upstream', 'step=https://127.0.0.1:9000'], /--upstream-credential FILE is needed: the provisioner's private key/],
    [['--upstream-credential', 'token'], /--upstream-credential is for --upstream/],
  ] as const) {
    it(`refuses ${wrong.join(' ')} as wrong usage`, async () => {
      const outcome = await runGatehouse('serve', '-f', join(dir, 'mesh'), ...wrong);
      assert.equal(outcome.code, 2);
      assert.match(outcome.stderr, message);
    });
  }
});

describe('addresses to listen on', () => {
  for (const [text, host, port] of [
    ['127.0.0.1:15012', '127.0.0.1', 15012],
    [':0', '0.0.0.0', 0],
    ['localhost:80', '127.0.0.1', 80],
    ['[::1]:443', '::1', 443],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(parseListenAddress(text), { ok: true, value: { host, port } }));
  }
  for (const text of ['', '15012', '127.0.0.1:65536', '::1:443', 'host:1', '1.2.3.4:-1']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseListenAddress(text).ok, false));
  }
});
