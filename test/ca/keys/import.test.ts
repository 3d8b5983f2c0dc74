import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPkcs12 } from '../../../ca/import/pkcs12.ts';
import { readPrivateKey } from '../../../ca/import/private-key.ts';
import { must } from '../identity/must.ts';
import { temporaryFolder, type World, world } from '../world.ts';
import { certificateAuthority, type Certified } from './ca-files.ts';
import { gatehouse } from './command.ts';
import { openssl } from './openssl.ts';

const PASS = 'old secret';
const LEGACY = ['-provider', 'legacy', '-provider', 'default'];
const RSA = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'];
const P384 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'];

/** How openssl writes each form: from a key of which type, with which arguments. */
const FORMS: readonly (readonly [name: string, kind: 'RSA' | 'EC', args: readonly string[]])[] = [
  ['PKCS#1, DEK-Info DES-CBC', 'RSA', ['rsa', '-traditional', '-des', ...LEGACY]],
  ['PKCS#1, DEK-Info DES-EDE3-CBC', 'RSA', ['rsa', '-traditional', '-des3']],
  ['PKCS#1, DEK-Info AES-128-CBC', 'RSA', ['rsa', '-traditional', '-aes128']],
  ['PKCS#1, DEK-Info AES-256-CBC', 'RSA', ['rsa', '-traditional', '-aes256']],
  ['SEC 1, DEK-Info DES-EDE3-CBC', 'EC', ['ec', '-des3']],
  ['SEC 1, DEK-Info AES-256-CBC', 'EC', ['ec', '-aes256']],
  ['PKCS#8 PBES1 MD5 DES', 'RSA', ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES', ...LEGACY]],
  ['PKCS#8 PBES1 SHA-1 DES', 'EC', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-DES', ...LEGACY]],
  ['PKCS#8 PBES1 SHA-1 triple DES', 'EC', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES']],
  ['PKCS#8 PBES1 SHA-1 RC2-40', 'RSA', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-RC2-40', ...LEGACY]],
  ['PKCS#8 PBES2 triple DES, HMAC-SHA1', 'RSA', ['pkcs8', '-topk8', '-v2', 'des3', '-v2prf', 'hmacWithSHA1']],
  ['PKCS#8 PBES2 AES-256, HMAC-SHA256', 'EC', ['pkcs8', '-topk8', '-v2', 'aes256']],
  ['PKCS#8 PBES2 AES-256, scrypt', 'EC', ['pkcs8', '-topk8', '-scrypt', '-v2', 'aes256']],
];

describe('ca/import: keys as they were encrypted over the years', () => {
  const folder = temporaryFolder();
  const keys = new Map<string, string>();
  before(function () {
    const tool = openssl(this.test?.ctx ?? this);
    for (const [kind, args] of [
      ['RSA', RSA],
      ['EC', P384],
    ] as const) {
      keys.set(kind, join(folder.path, `${kind}.pem`));
      execFileSync(tool, ['genpkey', ...args, '-out', join(folder.path, `${kind}.pem`)], { stdio: 'pipe' });
    }
  });
  after(() => folder.remove());

  for (const [name, kind, args] of FORMS)
    it(name, async function () {
      const source = keys.get(kind) ?? '';
      const out = join(folder.path, 'out.pem');
      const [command = '', ...rest] = args;
      const made = spawnSync('openssl', [command, '-in', source, '-out', out, '-passout', `pass:${PASS}`, ...rest]);
      // Some builds of OpenSSL come without the legacy provider.
      if (made.status !== 0) return this.skip();
      const text = readFileSync(out, 'utf8');
      const key = must(await readPrivateKey(text, PASS));
      assert.ok(createPublicKey(key).equals(createPublicKey(readFileSync(source, 'utf8'))));
      for (const wrong of ['wrong', '', undefined]) {
        const refusedKey = await readPrivateKey(text, wrong);
        assert.equal(refusedKey.ok, false);
      }
    });

  it('plain ones too', async () => {
    for (const source of keys.values()) {
      const pem = readFileSync(source, 'utf8');
      assert.ok(createPublicKey(must(await readPrivateKey(pem, undefined))).equals(createPublicKey(pem)));
    }
  });

  it('nothing else', async () => {
    const rsa = readFileSync(keys.get('RSA') ?? '', 'utf8');
    for (const text of ['', 'nonsense', rsa + rsa, rsa.slice(0, 300), 'x'.repeat(70_000), rsa.replaceAll('PRIVATE', 'PUBLIC')])
      assert.equal((await readPrivateKey(text, PASS)).ok, false);
  });
});

describe('ca/import: PKCS#12 and whole CAs', function () {
  this.timeout(60_000);
  let here: World;
  let root: Certified;
  let issuing: Certified;
  beforeEach(async function () {
    openssl(this.currentTest?.ctx ?? this);
    here = await world();
    root = certificateAuthority({ name: 'root' });
    issuing = certificateAuthority({ name: 'issuing', issuer: root, algorithm: RSA });
    for (const [name, text] of [
      ['root.pem', root.certPem],
      ['cert.pem', issuing.certPem],
      ['pass.txt', PASS],
      ['new.txt', 'new secret'],
    ] as const)
      writeFileSync(join(here.dir, name), text, { mode: 0o600 });
    writeFileSync(join(here.dir, 'key.pem'), issuing.keyPem, { mode: 0o600 });
  });
  afterEach(() => here.close());
  const at = (name: string) => join(here.dir, name);
  const file = (ca: Certified, chain: readonly Certified[], legacy: boolean): Buffer => {
    writeFileSync(at('p-key.pem'), ca.keyPem, { mode: 0o600 });
    writeFileSync(at('p-cert.pem'), ca.certPem);
    writeFileSync(at('p-chain.pem'), chain.map(({ certPem }) => certPem).join(''));
    const more = chain.length > 0 ? ['-certfile', at('p-chain.pem')] : [];
    const args = ['pkcs12', '-export', '-inkey', at('p-key.pem'), '-in', at('p-cert.pem'), ...more, '-out', at('p.p12')];
    execFileSync('openssl', [...args, '-passout', `pass:${PASS}`, ...(legacy ? ['-legacy'] : [])], { stdio: 'pipe' });
    return readFileSync(at('p.p12'));
  };

  for (const legacy of [false, true])
    for (const [kind, algorithm] of [
      ['RSA', RSA],
      ['P-384', P384],
      ['Ed25519', ['-algorithm', 'ED25519']],
    ] as const)
      it(`PKCS#12 with ${legacy ? 'old (RC2, triple DES)' : 'new'} algorithms and a key of the kind ${kind}`, () => {
        const ca = certificateAuthority({ name: 'issuing', issuer: root, algorithm });
        const der = file(ca, [root], legacy);
        const { key, certificates } = must(readPkcs12(der, PASS));
        assert.ok(new X509Certificate(ca.certPem).checkPrivateKey(key));
        assert.deepEqual(
          new Set(certificates.map(String)),
          new Set([ca, root].map(({ certPem }) => String(new X509Certificate(certPem)))),
        );
        assert.equal(readPkcs12(der, 'wrong').ok, false);
        assert.equal(readPkcs12(der.subarray(0, 500), PASS).ok, false);
      });

  it('a CA with an old encrypted key opens as an authority, its key under a new passphrase', async () => {
    execFileSync(
      'openssl',
      ['rsa', '-traditional', '-des3', '-in', at('key.pem'), '-out', at('old.pem'), '-passout', `pass:${PASS}`],
      {
        stdio: 'pipe',
      },
    );
    const args = [
      '--key',
      at('old.pem'),
      '--passphrase-file',
      at('pass.txt'),
      '--cert',
      at('cert.pem'),
      '--root',
      at('root.pem'),
    ];
    const done = gatehouse('ca', 'import', '--ca-dir', here.caDir, ...args, '--ca-key-passphrase-file', at('new.txt'));
    assert.equal(done.status, 0, done.stderr);
    assert.match(readFileSync(join(here.caDir, 'ca-key.pem'), 'utf8'), /^-----BEGIN ENCRYPTED/);
    const authority = await here.open({ key: { passphrase: { file: at('new.txt') } } });
    assert.equal(new X509Certificate(authority.rootCertPem).subject, 'CN=root');
    const again = gatehouse('ca', 'import', '--ca-dir', here.caDir, ...args);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /is in use|there is an authority/);
  });

  it('a CA from PKCS#12', async () => {
    file(issuing, [root], false);
    const done = gatehouse('ca', 'import', '--ca-dir', here.caDir, '--pkcs12', at('p.p12'), '--passphrase-file', at('pass.txt'));
    assert.equal(done.status, 0, done.stderr);
    const authority = await here.open();
    assert.equal(new X509Certificate(authority.rootCertPem).subject, 'CN=root');
  });

  for (const [what, args, status, text] of [
    ['a key of another certificate', ['--key', 'key.pem', '--cert', 'root.pem'], 1, /does not belong/],
    ['no root', ['--key', 'key.pem', '--cert', 'cert.pem'], 1, /give --root/],
    ['a file that is not there', ['--key', 'nowhere.pem', '--cert', 'root.pem'], 1, /nowhere\.pem/],
    ['no certificate', ['--key', 'key.pem'], 2, /--key and --cert, or --pkcs12/],
    ['both forms', ['--key', 'key.pem', '--cert', 'cert.pem', '--pkcs12', 'x'], 2, /--key and --cert, or --pkcs12/],
  ] as const)
    it(`${what} leaves the folder empty`, () => {
      const paths = args.map((arg) => (arg.endsWith('.pem') ? at(arg) : arg));
      const done = gatehouse('ca', 'import', '--ca-dir', here.caDir, ...paths);
      assert.equal(done.status, status, done.stderr);
      assert.match(done.stderr, text);
      assert.deepEqual(existsSync(here.caDir) ? readdirSync(here.caDir).filter((name) => name !== '.lock') : [], []);
    });
});
