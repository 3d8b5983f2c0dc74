import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { parseCaKeyFlags } from '../../../cli/options/ca-key.ts';
import { temporaryFolder } from '../world.ts';
import { gatehouse } from './command.ts';

const URI = 'pkcs11:token=t;object=o?module-path=/m.so&pin-source=/p';

describe('ca/keys: on the command line', () => {
  it('are told apart from what makes no sense', () => {
    assert.deepEqual(parseCaKeyFlags({ caKeyType: 'rsa-3072', caKeyPassphraseFile: '/p' }), {
      ok: true,
      value: { type: 'rsa-3072', store: undefined, passphrase: { file: '/p' } },
    });
    for (const [flags, text] of [
      [{ keyType: 'rsa-1024' }, /no key type; use one of ec-p256/],
      [{ keyStore: 'vault:x' }, /no PKCS#11 URI/],
      [{ keyStore: URI, caKeyPassphraseEnv: 'X' }, /has a PIN/],
      [{ caKeyPassphraseFile: 'a', caKeyPassphraseEnv: 'B' }, /two places/],
    ] as const) {
      const made = parseCaKeyFlags(flags);
      assert.match(made.ok ? 'taken' : made.reason, text);
    }
  });

  it('make a root of the type asked for', () => {
    const folder = temporaryFolder();
    const args = ['ca', 'root', '--ca-dir', join(folder.path, 'ca'), '-o', 'pem'];
    const made = gatehouse(...args, '--create', '--key-type', 'ed25519');
    assert.equal(made.status, 0, made.stderr);
    assert.equal(new X509Certificate(made.stdout).publicKey.asymmetricKeyType, 'ed25519');
    assert.deepEqual(gatehouse(...args).stdout, made.stdout);
    const wrong = gatehouse(...args, '--create', '--key-type', 'dsa');
    assert.equal(wrong.status, 2);
    folder.remove();
  });
});
