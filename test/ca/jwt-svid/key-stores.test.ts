import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { Authority } from '../../../ca/authority.ts';
import { besideKey } from '../../../ca/jwt-svid/token-key.ts';
import { rawSignature } from '../../../ca/jwt-svid/raw-signature.ts';
import { CK } from '../../../ca/key-store/pkcs11/constants.ts';
import { moduleAt } from '../../../ca/key-store/pkcs11/module.ts';
import { slotOf } from '../../../ca/key-store/pkcs11/token.ts';
import { ulong } from '../../../ca/key-store/pkcs11/library.ts';
import { parsePkcs11Uri } from '../../../ca/key-store/pkcs11/uri.ts';
import { must } from '../identity/must.ts';
import { softHsmModule, softToken } from '../keys/softhsm.ts';
import { type World, world } from '../world.ts';

const ID = 'spiffe://cluster.local/ns/shop/sa/cart';

describe('ca/jwt-svid: keys in the key stores', function () {
  this.timeout(60_000);
  let here: World;
  let now: number;
  let file: string;
  beforeEach(async () => {
    now = Date.now();
    here = await world(() => new Date(now));
    file = join(here.dir, 'pass.txt');
    writeFileSync(file, 'correct horse\n', { mode: 0o600 });
  });
  afterEach(() => here.close());

  const keysFile = () => readFileSync(join(here.caDir, 'jwt-keys.json'), 'utf8');
  const signed = async (authority: Authority): Promise<string> => {
    const request = { audience: ['pay'], ttlSeconds: 0, spiffeId: '' };
    const answer = await authority.jwt.issue({ authorization: [`Bearer ${await here.tokens.token()}`] }, request);
    assert.ok(answer.ok, answer.ok ? '' : answer.refusal.reason);
    return answer.value.svid;
  };
  const check = async (svid: string, authority: Authority): Promise<string | undefined> => {
    // jose leaves out keys whose use is not its own word.
    const keys = authority.jwt.bundle().keys.map((key) => ({ ...key, use: 'sig' }));
    return (await jwtVerify(svid, createLocalJWKSet({ keys }), { audience: 'pay', currentDate: new Date(now) })).payload.sub;
  };

  it('are encrypted where there is a passphrase, those that were plain as well, and go on', async () => {
    const plain = await here.open();
    const svid = await signed(plain);
    await plain.close();
    assert.match(keysFile(), /BEGIN PRIVATE KEY/);
    const locked = await here.open({ key: { passphrase: { file } } });
    assert.doesNotMatch(keysFile(), /BEGIN PRIVATE KEY/);
    assert.match(keysFile(), /BEGIN ENCRYPTED PRIVATE KEY/);
    assert.equal(await check(svid, locked), ID);
    await locked.close();
    const again = await here.open({ key: { passphrase: { file } } });
    assert.equal(await check(svid, again), ID);
    assert.equal(await check(await signed(again), again), ID);
    await again.close();
    writeFileSync(file, 'battery staple');
    await assert.rejects(here.open({ key: { passphrase: { file } } }), (error: Error) => {
      assert.match(error.message, /jwt-keys\.json: a key cannot be read/);
      return !error.message.includes('battery');
    });
    await assert.rejects(here.open(), /jwt-keys\.json is encrypted; say where its passphrase is/);
  });

  describe('in a PKCS#11 token', () => {
    let uri: string;
    before(function () {
      uri = softToken(softHsmModule(this), 'jwt').uri('ca');
    });

    /** How many private keys the token has. */
    const keysInToken = async (): Promise<number> => {
      const known = must(parsePkcs11Uri(uri));
      return (await moduleAt(known.module)).use((library) => {
        const session = library.openSession(slotOf(library, known), false);
        try {
          library.login(session, Buffer.from('123456'));
          return library.find(session, [[CK.CKA_CLASS, ulong(CK.CKO_PRIVATE_KEY)]]).length;
        } finally {
          library.closeSession(session);
        }
      });
    };

    it('are made there where the CA key is, sign, stay over a restart, and are destroyed when they are over', async () => {
      const jwt = { keyPeriodSeconds: 1000, keyLeadSeconds: 100, maxTtlSeconds: 60 };
      const first = await here.open({ key: { store: uri }, jwt });
      assert.doesNotMatch(keysFile(), /PRIVATE KEY/);
      assert.match(keysFile(), /"uri": "pkcs11:token=jwt;object=ca-jwt-[0-9a-f]{8}\?/);
      const svid = await signed(first);
      assert.equal(await check(svid, first), ID);
      await first.close();
      assert.equal(await keysInToken(), 2);
      // Without the flag: the folder says where its keys are.
      const again = await here.open({ jwt });
      assert.equal(await check(svid, again), ID);
      await again.close();
      now += 2000 * 1000;
      const successor = await here.open({ jwt });
      assert.equal(successor.jwt.bundle().keys.length, 2);
      await successor.close();
      assert.equal(await keysInToken(), 3);
      now += 500 * 1000;
      const alone = await here.open({ jwt });
      assert.equal(alone.jwt.bundle().keys.length, 1);
      assert.equal(await check(await signed(alone), alone), ID);
      assert.equal(await keysInToken(), 2);
    });
  });

  it('are beside the CA key, under names of their own', () => {
    const query = 'module-path=/m.so&pin-source=/p';
    assert.equal(besideKey(`pkcs11:token=t;object=o;id=%01?${query}\n`, 'x'), `pkcs11:token=t;object=o-jwt-x?${query}`);
    assert.equal(besideKey(`pkcs11:token=t;object=o-g2?${query}`, 'x'), `pkcs11:token=t;object=o-jwt-x?${query}`);
    assert.equal(besideKey(`pkcs11:id=%01;token=t?${query}`, 'x'), `pkcs11:token=t;object=gatehouse-jwt-x?${query}`);
  });

  it('give signatures as JWS has them, with short numbers too', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const bytes = Buffer.from('signed');
    for (let index = 0; index < 600; index++) {
      const der = sign('sha256', bytes, privateKey);
      assert.equal(rawSignature(der)?.length, 64);
    }
    assert.equal(rawSignature(Buffer.from('3006020101020102', 'hex'))?.toString('hex'), `${'0'.repeat(63)}1${'0'.repeat(63)}2`);
    for (const wrong of ['', '3000', '3003020101', '3009020101020102020103', `30260221${'01'.repeat(33)}020101`])
      assert.equal(rawSignature(Buffer.from(wrong, 'hex')), undefined, wrong);
  });
});
