import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPassphrase } from '../../../ca/key-store/passphrase.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';
import { openssl } from './openssl.ts';

describe('ca/keys: a key file with a passphrase', () => {
  let here: World;
  let file: string;
  beforeEach(async () => {
    here = await world();
    file = join(here.dir, 'pass.txt');
    writeFileSync(file, 'correct horse battery staple ✓\n', { mode: 0o600 });
  });
  afterEach(() => here.close());
  const key = () => join(here.caDir, 'ca-key.pem');

  it('is PBES2 with AES-256 and 600,000 rounds, and openssl opens it', async function () {
    const tool = openssl(this);
    await here.open({ key: { passphrase: { file }, type: 'ec-p384' } });
    assert.match(readFileSync(key(), 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    assert.equal(statSync(key()).mode & 0o777, 0o600);
    const shown = execFileSync(tool, ['asn1parse', '-in', key()], { encoding: 'utf8' });
    for (const part of ['PBES2', 'PBKDF2', 'hmacWithSHA256', 'aes-256-cbc', ':0927C0']) assert.ok(shown.includes(part), part);
    const opened = execFileSync(tool, ['pkey', '-in', key(), '-passin', `file:${file}`, '-noout', '-text'], { encoding: 'utf8' });
    assert.match(opened, /secp384r1/);
  });

  it('opens again with the passphrase from the file or the environment, and signs', async () => {
    const first = await here.open({ key: { passphrase: { file } } });
    await first.close();
    process.env['GATEHOUSE_TEST_PASSPHRASE'] = readFileSync(file, 'utf8').trimEnd();
    const again = await here.open({ key: { passphrase: { variable: 'GATEHOUSE_TEST_PASSPHRASE' } } });
    delete process.env['GATEHOUSE_TEST_PASSPHRASE'];
    assert.equal(again.rootCertPem, first.rootCertPem);
    const made = await again.issue({ csr: requestPem(), ttlSeconds: 60, authorization: [`Bearer ${await here.tokens.token()}`] });
    assert.ok(made.ok);
  });

  it('is refused without the passphrase or with a wrong one, in words that do not hold it', async () => {
    await (await here.open({ key: { passphrase: { file } } })).close();
    await assert.rejects(here.open(), /is encrypted; say where its passphrase is: --ca-key-passphrase-file/);
    writeFileSync(file, 'wrong-secret');
    await assert.rejects(here.open({ key: { passphrase: { file } } }), (error: Error) => {
      assert.match(error.message, /cannot be decrypted/);
      return !/wrong-secret/.test(error.message);
    });
  });

  it('stays encrypted when the root is rotated', async () => {
    const authority = await here.open({ key: { passphrase: { file }, type: 'rsa-2048' } });
    const prepared = await authority.rotation.prepare();
    assert.ok(prepared.ok, prepared.ok ? '' : prepared.reason);
    assert.match(readFileSync(join(here.caDir, 'roots', '1', 'ca-key.pem'), 'utf8'), /^-----BEGIN ENCRYPTED/);
  });

  it('is not made when the passphrase cannot be used', async () => {
    for (const [source, text] of [
      [{ file: '/nowhere' }, /no such passphrase file/],
      [{ variable: 'GATEHOUSE_NOT_SET' }, /\$GATEHOUSE_NOT_SET holds no passphrase/],
    ] as const)
      await assert.rejects(readPassphrase(source), text);
    writeFileSync(file, '\n');
    await assert.rejects(readPassphrase({ file }), /holds no passphrase/);
    chmodSync(file, 0o644);
    await assert.rejects(readPassphrase({ file }), /can be read by everybody/);
  });
});
