import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { hash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { bundle } from '../../audit/bundle/bundle.ts';
import { readTar, tarOf } from '../../audit/bundle/tar.ts';
import { type Verified, verifyBundle } from '../../audit/bundle/verify.ts';
import { openSqliteStore } from '../../audit/store/sqlite.ts';
import { memorySigner } from '../../ca/key-store/signer.ts';
import { createRoot } from '../../ca/root/create.ts';
import { edge } from './edges.ts';
import { TD, type World, world } from '../ca/world.ts';
import { requestPem } from '../ca/requests.ts';
import { NOW } from './world.ts';

const SEED = 20_261_124;
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const SHOP = fileURLToPath(new URL('../../manifests/samples/shop', import.meta.url));
const YEAR = 365 * 24 * 3_600_000;
const ABOUT = { preparedBy: 'Ada', version: '1.2.3', store: 'audit.db', period: { since: null, until: NOW.toISOString() } };
const FILES = [
  { path: 'report.txt', bytes: Buffer.from('who talked to whom\n') },
  { path: 'empty', bytes: Buffer.alloc(0) },
  { path: 'block', bytes: Buffer.alloc(512, 7) },
];

async function made(now = NOW, rootMade = NOW, files = FILES): Promise<{ archive: Buffer; root: X509Certificate }> {
  const { key, certificatePem } = await createRoot(TD, rootMade);
  const signer = memorySigner(key);
  assert.ok(signer.ok);
  const pieces = await bundle({ about: ABOUT, files, signer: certificatePem, signBytes: signer.value.sign, now });
  return { archive: Buffer.concat([...pieces]), root: new X509Certificate(certificatePem) };
}

/** The same archive with files changed, by their paths, and everything that only says how long they are put right. */
function changed(archive: Buffer, change: (path: string, bytes: Buffer) => Buffer | undefined): Buffer {
  const read = readTar(archive);
  assert.ok(read.ok);
  const files = read.value.files.flatMap(({ path, bytes }) => {
    const other = change(path, Buffer.from(bytes));
    return other === undefined ? [] : [{ path, bytes: other }];
  });
  return Buffer.concat([...tarOf(files, new Date(read.value.seconds * 1000))]);
}

const flipped = (bytes: Buffer, at: number, bit = 1): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ bit;
  return copy;
};

describe('audit: bundle', () => {
  let archive: Buffer;
  let root: X509Certificate;
  before(async () => {
    ({ archive, root } = await made());
  });
  const verify = (bytes: Buffer, now = NOW): Verified => verifyBundle(bytes, [root], now);

  it('is good as it was made, also years later, and under its root only', async () => {
    assert.deepEqual(verify(archive).faults, []);
    assert.equal(verify(archive, new Date(NOW.getTime() + 50 * YEAR)).ok, true);
    assert.equal(verifyBundle(archive, undefined, NOW).rootKnown, undefined);
    const stranger = (await made()).root;
    assert.match(verifyBundle(archive, [stranger], NOW).faults.join(), /none of those that you trust/);
  });

  it('is the same bytes for the same input, but for the signature', async () => {
    const { archive: other } = await made();
    const files = (bytes: Buffer) => {
      const read = readTar(bytes);
      assert.ok(read.ok);
      return read.value.files
        .filter(({ path }) => !/^(manifest\.|signer\.)/.test(path))
        .map(({ path, bytes: one }) => [path, Buffer.from(one).toString('hex')]);
    };
    assert.deepEqual(files(other), files(archive));
  });

  it('shows the change of any single byte, wherever it is', () => {
    for (let at = 0; at < archive.length; at++) assert.equal(verify(flipped(archive, at)).ok, false, `byte ${at}`);
    fc.assert(
      fc.property(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) =>
        assert.equal(verify(flipped(archive, at, bits)).ok, false),
      ),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('shows that it is cut off, anywhere, or goes on', () => {
    for (let length = 0; length < archive.length; length += 97) assert.equal(verify(archive.subarray(0, length)).ok, false);
    for (const more of [Buffer.alloc(1), Buffer.alloc(512), archive])
      assert.equal(verify(Buffer.concat([archive, more])).ok, false);
  });

  it('shows for each file that it was changed, lost, added or moved, though the archive is in order', () => {
    const read = readTar(archive);
    assert.ok(read.ok);
    for (const { path } of read.value.files) {
      const other = changed(archive, (name, bytes) => (name === path ? Buffer.concat([bytes, Buffer.from(' ')]) : bytes));
      assert.equal(verify(other).ok, false, `${path} changed`);
      assert.equal(verify(changed(archive, (name, bytes) => (name === path ? undefined : bytes))).ok, false, `${path} lost`);
    }
    const { files, seconds } = read.value;
    const time = new Date(seconds * 1000);
    const packed = (list: typeof files) => Buffer.concat([...tarOf(list, time)]);
    assert.match(verify(packed([...files, { path: 'more', bytes: Buffer.from('x') }])).faults.join(), /more was added/);
    const [manifest, signature, signer, one, two, three] = files;
    assert.ok(manifest && signature && signer && one && two && three);
    assert.match(verify(packed([manifest, signature, signer, two, one, three])).faults.join(), /another order/);
    assert.equal(verify(Buffer.concat([...tarOf(files, new Date(time.getTime() + 1000))])).ok, false, 'another time');
  });

  it('does not take one that a stranger signed anew for ours', async () => {
    const forged = await made(NOW, NOW, [
      { path: 'report.txt', bytes: Buffer.from('nobody talked to anybody\n') },
      ...FILES.slice(1),
    ]);
    assert.match(verify(forged.archive).faults.join(), /none of those that you trust/);
    const read = readTar(forged.archive);
    assert.ok(read.ok);
    const theirs = new Map(read.value.files.map(({ path, bytes }) => [path, Buffer.from(bytes)]));
    // Their manifest and signature, with our certificates in it.
    const mixed = changed(archive, (path, bytes) => (path === 'signer.pem' ? bytes : theirs.get(path)));
    assert.match(verify(mixed).faults.join(), /signature does not verify/);
  });

  it('asks whether the signer was valid when it signed, not now', async () => {
    const late = await made(NOW, new Date(NOW.getTime() - 11 * YEAR));
    assert.match(verifyBundle(late.archive, [late.root], NOW).faults.join(), /was not valid when the bundle was signed/);
    const early = await made(NOW, new Date(NOW.getTime() + YEAR));
    assert.match(verifyBundle(early.archive, [early.root], NOW).faults.join(), /was not valid when the bundle was signed/);
    assert.match(verify(archive, new Date(NOW.getTime() - 3_600_000)).faults.join(), /in the future/);
  });

  it('does not read anything that is no bundle', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => assert.equal(verify(Buffer.from(bytes)).ok, false)),
      { seed: SEED, numRuns: 300 },
    );
    for (const path of ['/etc/passwd', '../x', 'a/../b', './a', 'a b', '', 'x'.repeat(101)])
      assert.throws(() => [...tarOf([{ path, bytes: Buffer.alloc(0) }], NOW)], RangeError, path);
  });
});

describe('gatehouse audit bundle, and verify', function () {
  this.timeout(60_000);
  let ca: World;
  let db: string;
  let out: string;
  const run = (...args: readonly string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'audit', ...args], (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });
  const roots = (): string => join(ca.caDir, 'root-cert.pem');
  before(async () => {
    ca = await world();
    const authority = await ca.open();
    const issued = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 0,
      authorization: [`Bearer ${await ca.tokens.token()}`],
    });
    assert.ok(issued.ok);
    await authority.close();
    db = join(ca.dir, 'audit.db');
    const store = await openSqliteStore({ file: db, clock: () => new Date() });
    await store.append({
      edges: [
        edge({ time: Date.now(), source: { principal: issued.value.spiffeId, workload: 'shop/cart', address: undefined } }),
      ],
      losses: [],
    });
    await store.close();
    out = join(ca.dir, 'bundle.tar.gz');
    mkdirSync(join(ca.dir, 'unpacked'));
    const { code, stderr } = await run(
      'bundle',
      '--db',
      db,
      '--ca-dir',
      ca.caDir,
      '-f',
      SHOP,
      '--out',
      out,
      '--prepared-by',
      'Ada',
    );
    assert.deepEqual([code, stderr], [0, '']);
  });
  after(() => ca.close());

  it('makes an archive that only its owner can read and that tar reads', async () => {
    assert.equal(statSync(out).mode & 0o777, 0o600);
    const list = await new Promise<string>((resolve, reject) =>
      execFile('tar', ['-xvzf', out, '-C', join(ca.dir, 'unpacked')], (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      ),
    );
    for (const name of [
      'manifest.json',
      'report.html',
      'edges.jsonl',
      'certificates.csv',
      'losses-and-gaps.json',
      'issuance-log/checkpoint',
    ])
      assert.ok(list.split('\n').includes(name), name);
    assert.match(list, /configuration\/\d{4}-\S*policies\.yaml/);
    assert.match(
      readFileSync(join(ca.dir, 'unpacked', 'edges.jsonl'), 'utf8'),
      /"principal":"spiffe:\/\/cluster\.local\/ns\/shop\/sa\/cart"/,
    );
  });

  it('verifies with the root, and proves the certificate of the call to be in the issuance log', async () => {
    const { code, stdout, stderr } = await run('verify', out, '--root', roots(), '-o', 'json');
    assert.deepEqual([code, stderr], [0, '']);
    const found: unknown = JSON.parse(stdout);
    assert.ok(typeof found === 'object' && found !== null && 'ok' in found && 'proofs' in found && 'rootKnown' in found);
    assert.equal(found.ok, true);
    assert.equal(found.rootKnown, true);
    // Of the control plane's own and of the workload's certificate each an intent and a result.
    assert.ok(typeof found.proofs === 'number' && found.proofs >= 2);
    const certificates = readFileSync(join(ca.dir, 'unpacked', 'certificates.txt'), 'utf8');
    assert.match(certificates, /token: system:serviceaccount:shop:cart +its own identity, by a token +1$/m);
  });

  it('can be checked with openssl alone', async () => {
    const at = (name: string): string => join(ca.dir, 'unpacked', name);
    const digest = hash('sha256', readFileSync(at('manifest.json')));
    writeFileSync(at('signed'), `gatehouse.dev/audit-bundle/v1\nsha256:${digest}\n`);
    writeFileSync(at('signature'), Buffer.from(readFileSync(at('manifest.sig'), 'utf8'), 'base64'));
    writeFileSync(
      at('key.pem'),
      new X509Certificate(readFileSync(at('signer.pem'))).publicKey.export({ type: 'spki', format: 'pem' }),
    );
    const said = await new Promise<string>((resolve) =>
      execFile(
        'openssl',
        ['dgst', '-sha256', '-verify', at('key.pem'), '-signature', at('signature'), at('signed')],
        (_, stdout) => resolve(stdout),
      ),
    );
    assert.match(said, /Verified OK/);
  });

  it('says what is wrong, and ends with 1', async () => {
    const tampered = join(ca.dir, 'tampered.tar.gz');
    const bytes = readFileSync(out);
    writeFileSync(tampered, flipped(bytes, bytes.length >> 1));
    assert.equal((await run('verify', tampered, '--root', roots())).code, 1);
    writeFileSync(tampered, bytes.subarray(0, bytes.length - 100));
    assert.equal((await run('verify', tampered, '--root', roots())).code, 1);
    const stranger = join(ca.dir, 'stranger.pem');
    writeFileSync(stranger, (await createRoot(TD, new Date())).certificatePem);
    const { code, stderr } = await run('verify', out, '--root', stranger);
    assert.equal(code, 1);
    assert.match(stderr, /none of those that you trust/);
  });

  it('warns when no root says who signed, and overwrites nothing', async () => {
    const { code, stderr } = await run('verify', out);
    assert.equal(code, 0);
    assert.match(stderr, /without --root nothing says that the signer is yours/);
    const again = await run('bundle', '--db', db, '--ca-dir', ca.caDir, '--out', out);
    assert.deepEqual([again.code, again.stdout], [2, '']);
    assert.match(again.stderr, /never overwritten/);
  });
});
