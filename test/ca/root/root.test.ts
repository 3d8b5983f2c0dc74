import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { AuthorityError } from '../../../ca/root/error.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { loadOrCreateRoot } from '../../../ca/root/load.ts';
import { lockFolder } from '../../../ca/root/lock.ts';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { must } from '../identity/must.ts';
import { memoryLog, TD, temporaryFolder } from '../world.ts';
import { CORPORA, isPresent } from '../../shared-data.ts';

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('ca/root: the kept root', () => {
  let temporary: ReturnType<typeof temporaryFolder>;
  let dir: string;
  const { log, lines } = memoryLog();
  const open = (trustDomain = TD) => loadOrCreateRoot(folderAt(dir), { clock: () => new Date(), trustDomain, log });
  const fails = (text: RegExp, task: () => Promise<unknown> = open) =>
    assert.rejects(task, (error) => error instanceof AuthorityError && text.test(error.message));

  beforeEach(() => {
    temporary = temporaryFolder();
    dir = join(temporary.path, 'ca');
  });
  afterEach(() => temporary.remove());

  it('is made once and kept', async () => {
    const first = await open();
    const second = await open();
    assert.equal(second.rootCertPem, first.rootCertPem);
    assert.deepEqual(second.intermediatesPem, []);
    assert.equal(mode(dir), '700');
    assert.equal(mode(join(dir, 'ca-key.pem')), '600');
    assert.deepEqual(readdirSync(dir).toSorted(), ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem']);
  });

  it('is refused when others can read its key or write its folder', async () => {
    await open();
    for (const bits of [0o640, 0o604, 0o660]) {
      chmodSync(join(dir, 'ca-key.pem'), bits);
      await fails(/can be read by others .*chmod 0600/);
    }
    chmodSync(join(dir, 'ca-key.pem'), 0o600);
    chmodSync(dir, 0o777);
    await fails(/writable by others .*chmod 0700/);
  });

  it('is refused when its key is a link, damaged, or of another certificate', async () => {
    await open();
    const key = join(dir, 'ca-key.pem');
    const good = readFileSync(key, 'utf8');
    writeFileSync(key, 'nonsense');
    await fails(/no private key in PEM/);
    const pair = execFileSync(process.execPath, [
      '-e',
      "process.stdout.write(require('crypto').generateKeyPairSync('ec',{namedCurve:'P-256'}).privateKey.export({type:'pkcs8',format:'pem'}))",
    ]);
    writeFileSync(key, pair);
    await fails(/does not belong/);
    writeFileSync(join(temporary.path, 'elsewhere'), good, { mode: 0o600 });
    rmSync(key);
    symlinkSync(join(temporary.path, 'elsewhere'), key);
    await fails(/not a plain file/);
  });

  it('is refused when part of it is gone', async () => {
    await open();
    for (const name of ['ca-key.pem', 'ca-cert.pem', 'root-cert.pem']) {
      const away = join(temporary.path, name);
      copyFileSync(join(dir, name), away);
      rmSync(join(dir, name));
      await fails(new RegExp(`${name} missing.*restore`));
      copyFileSync(away, join(dir, name));
      chmodSync(join(dir, name), 0o600);
    }
    await open();
  });

  it('is refused for another trust domain', async () => {
    await open();
    await fails(/trust domain cluster\.local, not example\.org/, () => open(must(parseTrustDomain('example.org'))));
  });

  it('is made anew after a crash at any step of its creation, and never once something was issued', async () => {
    const names = ['ca-key.pem', 'ca-cert.pem', 'root-cert.pem'];
    await open();
    const whole = names.map((name) => [name, readFileSync(join(dir, name), 'utf8')] as const);
    for (let written = 0; written <= names.length; written++) {
      rmSync(dir, { recursive: true });
      mkdirSync(dir, { mode: 0o700 });
      writeFileSync(join(dir, '.creating'), '');
      for (const [name, text] of whole.slice(0, written)) writeFileSync(join(dir, name), text, { mode: 0o600 });
      const made = await open();
      assert.notEqual(made.rootCertPem, whole[2]?.[1]);
      assert.equal(existsSync(join(dir, '.creating')), false);
    }
    writeFileSync(join(dir, '.creating'), '');
    writeFileSync(join(dir, 'issuance.jsonl'), '');
    await fails(/unfinished, but .*issuance\.jsonl exists/);
    assert.ok(lines.some(({ msg }) => String(msg).includes('made anew')));
  });

  it('loads an intermediate with its chain (the cacerts layout)', async function () {
    const corpus = join(CORPORA, 'pki', 'plugin-ca-sample');
    if (!isPresent(corpus)) this.skip();
    mkdirSync(dir, { mode: 0o700 });
    for (const name of readdirSync(corpus)) copyFileSync(join(corpus, name), join(dir, name));
    chmodSync(join(dir, 'ca-key.pem'), 0o600);
    const root = await open();
    assert.equal(root.intermediatesPem.length, 1);
    assert.equal(root.rootCertPem, readFileSync(join(dir, 'root-cert.pem'), 'utf8'));
  });

  it('lets one process at a time issue, and is free after kill -9', async () => {
    await open();
    const { lock } = folderAt(dir);
    const child = spawn(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '-e',
      `import { lockFolder } from ${JSON.stringify(join(import.meta.dirname, '../../../ca/root/lock.ts'))};
       globalThis.unlock = lockFolder(${JSON.stringify(lock)}, 'dir'); console.log('locked'); setInterval(() => {}, 1000);`,
    ]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    assert.throws(() => lockFolder(lock, dir), /in use by another running authority/);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const unlock = lockFolder(lock, dir);
    assert.equal(mode(lock), '600');
    assert.ok(!existsSync(`${lock}-journal`));
    assert.throws(() => lockFolder(lock, dir), AuthorityError);
    unlock();
    lockFolder(lock, dir)();
  });
});
