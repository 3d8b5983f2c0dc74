import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KeyType, KEY_TYPES, keyTypeOf, parseKeyType } from '../../../ca/key-store/key-type.ts';
import { openssl } from './openssl.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';

const TYPES: readonly KeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ed25519'];

function leafKey(type: KeyType): KeyObject {
  switch (type) {
    case 'ec-p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'ec-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    case 'rsa-2048':
    case 'rsa-3072':
    case 'rsa-4096':
      return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(4)) }).privateKey;
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    default:
      return type satisfies never;
  }
}

describe('ca/keys: every type of root with every type of leaf', () => {
  const leaves = new Map<KeyType, KeyObject>();
  let here: World;
  before(function () {
    this.timeout(60_000);
    for (const type of TYPES) leaves.set(type, leafKey(type));
  });
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());

  it('are the types that the command line knows', () => {
    assert.deepEqual(Object.keys(KEY_TYPES), TYPES);
    for (const type of TYPES) assert.deepEqual(parseKeyType(type), { ok: true, value: type });
    for (const wrong of ['rsa-1024', 'ec-p521', 'toString', '']) assert.equal(parseKeyType(wrong).ok, false);
  });

  for (const type of TYPES)
    it(`a root of the type ${type} issues for all, and openssl verify agrees`, async function () {
      this.timeout(60_000);
      const tool = openssl(this);
      const authority = await here.open({ key: { type } });
      const root = new X509Certificate(authority.rootCertPem);
      assert.deepEqual(keyTypeOf(root.publicKey), { ok: true, value: type });
      for (const [leafType, key] of leaves) {
        const made = await authority.issue({
          csr: requestPem({ key }),
          ttlSeconds: 600,
          authorization: [`Bearer ${await here.tokens.token()}`],
        });
        assert.ok(made.ok, `${type} x ${leafType}: ${made.ok ? '' : made.refusal.reason}`);
        const leaf = made.value.certChain[0] ?? '';
        assert.ok(new X509Certificate(leaf).verify(root.publicKey));
        const path = join(here.dir, `${leafType}.pem`);
        writeFileSync(path, leaf);
        for (const purpose of ['sslserver', 'sslclient']) {
          const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', authority.rootCertPath, path];
          assert.match(execFileSync(tool, args, { encoding: 'utf8' }), /: OK/);
        }
      }
    });
});
