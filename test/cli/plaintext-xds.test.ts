import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import { isLoopback, parseListenAddress } from '../../cli/options/address.ts';
import { CLUSTER, LISTENER, SECRET } from '../../xds/resource-set.ts';
import { get } from '../feature/running-mesh.ts';
import { DeltaClient } from '../xds/stream/client.ts';
import { MESH, RunningServe } from './running-serve.ts';

describe('gatehouse serve --plaintext-xds', function () {
  this.timeout(30_000);
  let dir: string;
  let running: RunningServe | undefined;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-plaintext-'));
    mkdirSync(join(dir, 'mesh'));
    writeFileSync(join(dir, 'mesh', 'mesh.yaml'), MESH);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  afterEach(async () => {
    const last = running;
    running = undefined;
    if (last?.over === false) assert.equal(await last.stop(), 0);
  });

  function run(...flags: readonly string[]): RunningServe {
    const started = new RunningServe(join(dir, 'mesh'), dir, ...flags);
    running = started;
    return started;
  }

  it('serves a pod by its node id, says so loudly, and gives out neither certificates nor the trust of agents', async () => {
    const serve = run('--plaintext-xds', '127.0.0.1:0');
    const { http } = await serve.ready();
    const plaintextXds = await serve.plaintextXds();
    assert.match(serve.errors, /"level":40[^\n]*xDS IS SERVED IN PLAIN TEXT/);

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
    assert.equal((await run().ready()).plaintextXds, null);
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
      const serve = run(...flags);
      assert.equal(await serve.ended(), 2);
      assert.match(serve.errors, message);
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
