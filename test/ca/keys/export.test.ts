import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyType } from '../../../ca/key-store/key-type.ts';
import { certificateBlocks } from '../../../ca/der/pem.ts';
import { temporaryFolder, type World, world } from '../world.ts';
import { certificateAuthority, type Certified, writeCacerts } from './ca-files.ts';
import { gatehouse } from './command.ts';
import { openssl } from './openssl.ts';
import { softHsmModule, softToken } from './softhsm.ts';

const PASS = 'export sécret';

describe('ca/export: opened by openssl', function () {
  this.timeout(60_000);
  let here: World;
  let chain: readonly Certified[];
  let tool: string;
  beforeEach(async function () {
    tool = openssl(this.currentTest?.ctx ?? this);
    here = await world();
    const root = certificateAuthority({ name: 'root' });
    const middle = certificateAuthority({ name: 'middle', issuer: root });
    chain = [certificateAuthority({ name: 'issuing', issuer: middle }), middle, root];
    writeFileSync(at('pass.txt'), PASS, { mode: 0o600 });
  });
  afterEach(() => here.close());
  const at = (name: string) => join(here.dir, name);
  const run = (...args: string[]) => execFileSync(tool, args, { encoding: 'utf8', stdio: 'pipe' });
  const exported = (...args: readonly string[]) => gatehouse('ca', 'export', '--ca-dir', here.caDir, ...args);
  const withKey = ['--with-key', '--passphrase-file'];

  it('PEM has the issuing certificate, those between, the root', () => {
    writeCacerts(here.caDir, chain);
    const done = exported();
    assert.equal(done.status, 0, done.stderr);
    const subjects = certificateBlocks(done.stdout.toString()).map((block) => new X509Certificate(block).subject);
    assert.deepEqual(subjects, ['CN=issuing', 'CN=middle', 'CN=root']);
    assert.doesNotMatch(done.stdout.toString(), /PRIVATE/);
  });

  it('PEM with the key has it encrypted', () => {
    writeCacerts(here.caDir, chain);
    const done = exported(...withKey, at('pass.txt'), '--out', at('all.pem'));
    assert.equal(done.status, 0, done.stderr);
    assert.equal(statSync(at('all.pem')).mode & 0o777, 0o600);
    const key = createPrivateKey(run('pkey', '-in', at('all.pem'), '-passin', `file:${at('pass.txt')}`));
    assert.ok(new X509Certificate(chain[0]?.certPem ?? '').checkPrivateKey(key));
    assert.throws(() => run('pkey', '-in', at('all.pem'), '-passin', 'pass:wrong'));
  });

  it('PKCS#7 has the same certificates', () => {
    writeCacerts(here.caDir, chain);
    const done = exported('--format', 'pkcs7', '--out', at('all.p7b'));
    assert.equal(done.status, 0, done.stderr);
    const printed = run('pkcs7', '-inform', 'DER', '-in', at('all.p7b'), '-print_certs');
    const subjects = certificateBlocks(printed).map((block) => new X509Certificate(block).subject);
    assert.deepEqual(subjects, ['CN=issuing', 'CN=middle', 'CN=root']);
  });

  for (const type of ['ec-p384', 'rsa-2048', 'ed25519'] as const satisfies readonly KeyType[])
    it(`PKCS#12 of a root of the type ${type}, with its key, by today's algorithms`, async () => {
      const authority = await here.open({ key: { type } });
      const done = exported('--format', 'pkcs12', ...withKey, at('pass.txt'), '--out', at('ca.p12'), '--name', 'my CA');
      assert.equal(done.status, 0, done.stderr);
      const opened = run('pkcs12', '-in', at('ca.p12'), '-passin', `file:${at('pass.txt')}`, '-passout', 'pass:x', '-noenc');
      assert.match(opened, /friendlyName: my CA/);
      const key = createPrivateKey(opened);
      const [certificate = ''] = certificateBlocks(opened);
      assert.ok(new X509Certificate(certificate).checkPrivateKey(key));
      assert.equal(new X509Certificate(certificate).toString(), authority.rootCertPem);
      assert.throws(() => run('pkcs12', '-in', at('ca.p12'), '-passin', 'pass:wrong', '-noenc'));
    });

  it('PKCS#12 says how it is protected', () => {
    writeCacerts(here.caDir, chain);
    exported('--format', 'pkcs12', ...withKey, at('pass.txt'), '--out', at('ca.p12'));
    const args = ['pkcs12', '-in', at('ca.p12'), '-passin', `file:${at('pass.txt')}`, '-info', '-noout'];
    const shown = execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', tool, ...args], { encoding: 'utf8' });
    assert.match(shown, /MAC: sha256, Iteration 600000/);
    assert.match(shown, /Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256/);
    assert.match(shown, /PKCS7 Encrypted data: PBES2, PBKDF2, AES-256-CBC/);
  });

  it('goes out and comes back in, from a key file with a passphrase too', async () => {
    writeCacerts(here.caDir, chain);
    const encrypted = run('pkcs8', '-topk8', '-v2', 'aes256', '-in', join(here.caDir, 'ca-key.pem'), '-passout', 'pass:kept');
    writeFileSync(join(here.caDir, 'ca-key.pem'), encrypted, { mode: 0o600 });
    writeFileSync(at('kept.txt'), 'kept', { mode: 0o600 });
    assert.match(exported(...withKey, at('pass.txt')).stderr, /--ca-key-passphrase-file/);
    exported('--format', 'pkcs12', ...withKey, at('pass.txt'), '--ca-key-passphrase-file', at('kept.txt'), '--out', at('ca.p12'));
    const back = at('back');
    const done = gatehouse('ca', 'import', '--ca-dir', back, '--pkcs12', at('ca.p12'), '--passphrase-file', at('pass.txt'));
    assert.equal(done.status, 0, done.stderr);
    assert.equal(gatehouse('ca', 'export', '--ca-dir', back).stdout.toString(), exported().stdout.toString());
  });

  for (const [what, args, status, text] of [
    ['a key without a passphrase', ['--with-key'], 2, /a passphrase is needed/],
    ['PKCS#12 without a passphrase', ['--format', 'pkcs12'], 2, /a passphrase is needed/],
    ['PKCS#7 with a key', ['--format', 'pkcs7', '--with-key'], 2, /certificates only/],
    ['an unknown format', ['--format', 'jks'], 2, /pkcs12/],
    ['two passphrases', ['--passphrase-file', 'a', '--passphrase-env', 'B'], 2, /two places/],
  ] as const)
    it(`${what} is refused`, () => {
      writeCacerts(here.caDir, chain);
      const done = exported(...args);
      assert.equal(done.status, status);
      assert.match(done.stderr, text);
      assert.equal(done.stdout.length, 0);
    });

  it('a key in a token stays there', async function () {
    const module = softHsmModule(this);
    const folder = temporaryFolder();
    const before = process.env['SOFTHSM2_CONF'];
    try {
      const token = softToken(module, 'export');
      const made = gatehouse(
        'ca',
        'root',
        '--ca-dir',
        here.caDir,
        '--create',
        '--key-store',
        token.uri('ca'),
        '--key-type',
        'rsa-2048',
      );
      assert.equal(made.status, 0, made.stderr);
      const done = exported(...withKey, at('pass.txt'));
      assert.equal(done.status, 1);
      assert.match(done.stderr, /PKCS#11 token .* does not leave it/);
      assert.equal(exported().status, 0);
    } finally {
      if (before === undefined) delete process.env['SOFTHSM2_CONF'];
      else process.env['SOFTHSM2_CONF'] = before;
      folder.remove();
    }
  });
});
