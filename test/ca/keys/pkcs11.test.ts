import { strict as assert } from 'node:assert';
import { verify, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_TYPES, type KeyType } from '../../../ca/key-store/key-type.ts';
import { connector } from '../../../ca/key-store/pkcs11/connection.ts';
import { CK } from '../../../ca/key-store/pkcs11/constants.ts';
import { generateInToken } from '../../../ca/key-store/pkcs11/generate.ts';
import { pkcs11Signer } from '../../../ca/key-store/pkcs11/signer.ts';
import { moduleAt } from '../../../ca/key-store/pkcs11/module.ts';
import { keyOf, slotOf } from '../../../ca/key-store/pkcs11/token.ts';
import { parsePkcs11Uri, type Pkcs11Uri } from '../../../ca/key-store/pkcs11/uri.ts';
import { NOBODY } from '../../../ca/rotation/rotation.ts';
import { must } from '../identity/must.ts';
import { requestPem } from '../requests.ts';
import { temporaryFolder, type World, world } from '../world.ts';
import { type SoftToken, softHsmModule, softToken } from './softhsm.ts';

const TYPES: readonly KeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ed25519'];
const BYTES = Buffer.from('to be signed');

describe('ca/keys: PKCS#11 URIs', () => {
  it('name a key and how to get at it', () => {
    const uri = must(
      parsePkcs11Uri('pkcs11:token=My%20CA;serial=1;object=a%3Bb;id=%01%ff;type=private?module-path=/m.so&pin-source=file:/p'),
    );
    assert.deepEqual(uri, {
      token: 'My CA',
      serial: '1',
      object: 'a;b',
      id: Buffer.from([1, 255]),
      module: '/m.so',
      pinFile: '/p',
    });
  });

  const good = 'pkcs11:token=t;object=o?module-path=/m.so&pin-source=/p';
  for (const [text, reason] of [
    ['file:///x', /no PKCS#11 URI/],
    [`${good}&pin-value=1234`, /must not be in the PKCS#11 URI/],
    [good.replace('token=t;', ''), /token or serial/],
    [good.replace('object=o', ''), /object .* or id/],
    [good.replace('/m.so', 'm.so'), /module-path/],
    [good.replace('&pin-source=/p', ''), /pin-source/],
    [good.replace('object=o', 'object=o;object=p'), /twice/],
    [good.replace('object=o', 'object=o;slot-id=0'), /unknown part/],
    [good.replace('object=o', 'object=%zz'), /percent/],
    [good.replace('object=o', 'object=o;type=public'), /not private/],
  ] as const)
    it(`are refused: ${String(reason)}`, () => {
      const uri = parsePkcs11Uri(text);
      assert.match(uri.ok ? 'taken' : uri.reason, reason);
    });
});

describe('ca/keys: a key in a PKCS#11 token', function () {
  this.timeout(60_000);
  const folder = temporaryFolder();
  let module: string;
  let token: SoftToken;
  let here: World;
  const uriOf = (label: string): Pkcs11Uri => must(parsePkcs11Uri(token.uri(label)));

  before(function () {
    module = softHsmModule(this.test?.ctx ?? this);
    token = softToken(module, 'gatehouse');
  });
  after(() => folder.remove());
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());

  for (const type of TYPES)
    it(`of the type ${type} is made there and signs`, async () => {
      await generateInToken(uriOf(type), type);
      const signer = await pkcs11Signer(uriOf(type));
      assert.equal(signer.type, type);
      const signatures = await Promise.all(Array.from({ length: 10 }, async () => signer.sign(BYTES)));
      for (const signature of signatures) assert.ok(verify(KEY_TYPES[type].digest, BYTES, signer.publicKey, signature));
      await signer.close?.();
      await assert.rejects(async () => signer.sign(BYTES));
      await assert.rejects(generateInToken(uriOf(type), type), /already has a private key of that name/);
    });

  it('is the root of an authority, whose folder holds no key', async () => {
    const authority = await here.open({ key: { store: token.uri('root'), type: 'ec-p384' } });
    const issue = async () =>
      authority.issue({ csr: requestPem(), ttlSeconds: 60, authorization: [`Bearer ${await here.tokens.token()}`] });
    const made = await issue();
    assert.ok(made.ok, made.ok ? '' : made.refusal.reason);
    assert.ok(new X509Certificate(made.value.certChain[0] ?? '').verify(new X509Certificate(authority.rootCertPem).publicKey));
    assert.equal(existsSync(join(here.caDir, 'ca-key.pem')), false);
    for (const name of readdirSync(here.caDir).filter((name) => name.startsWith('ca-') || name.startsWith('root')))
      assert.doesNotMatch(readFileSync(join(here.caDir, name), 'utf8'), /PRIVATE KEY/);
    await authority.close();
    const again = await here.open();
    assert.equal(again.rootCertPem, authority.rootCertPem);
  });

  it('cannot be taken out', async () => {
    await generateInToken(uriOf('stays'), 'ec-p256');
    const opened = await moduleAt(module);
    await opened.use((library) => {
      const session = library.openSession(slotOf(library, uriOf('stays')), false);
      library.login(session, Buffer.from('123456'));
      const { handle } = keyOf(library, session, uriOf('stays'));
      // CKA_VALUE, the private number.
      assert.throws(() => library.attribute(session, handle, 0x11n), /C_GetAttributeValue/);
      assert.equal(library.attribute(session, handle, CK.CKA_EXTRACTABLE)[0], 0);
      library.closeSession(session);
    });
  });

  it('is refused certificates while the token is away, and found again when it is back', async () => {
    await generateInToken(uriOf('away'), 'ec-p256');
    let now = 0;
    const signer = await pkcs11Signer(uriOf('away'), () => now);
    await signer.sign(BYTES);
    const tokens = join(token.dir, 'tokens');
    renameSync(tokens, `${tokens}.away`);
    await assert.rejects(async () => signer.sign(BYTES));
    // Left alone for a second: at once, nothing is asked of the token.
    await assert.rejects(async () => signer.sign(BYTES), /does not answer/);
    renameSync(`${tokens}.away`, tokens);
    now += 2000;
    const signatures = await Promise.all(Array.from({ length: 20 }, async () => signer.sign(BYTES)));
    for (const signature of signatures) assert.ok(verify('sha256', BYTES, signer.publicKey, signature));
    await signer.close?.();
  });

  it('is not asked for with a PIN that was refused, so that the token does not lock', async () => {
    await generateInToken(uriOf('pin'), 'ec-p256');
    const pinFile = join(folder.path, 'wrong.pin');
    writeFileSync(pinFile, 'wrong-pin\n', { mode: 0o600 });
    const connect = connector({ ...uriOf('pin'), pinFile });
    await assert.rejects(connect(), /CKR_PIN_INCORRECT/);
    await assert.rejects(connect(), /refused the PIN/);
    writeFileSync(pinFile, '123456\n');
    await (await connect()).close();
    chmodSync(pinFile, 0o644);
    await assert.rejects(connect(), /can be read by everybody/);
  });

  it('is refused with a reason when module, token or key are not there', async () => {
    const fails = (uri: Pkcs11Uri, text: RegExp) => assert.rejects(pkcs11Signer(uri), text);
    await fails({ ...uriOf('x'), module: '/nowhere/p11.so' }, /nowhere/);
    await fails({ ...uriOf('x'), token: 'another' }, /there is no token another; there is .*"gatehouse"/);
    await fails(uriOf('nobody'), /no such private key/);
    await fails({ ...uriOf('x'), pinFile: '/nowhere/pin' }, /nowhere/);
  });

  it('is followed by one in the same token when the root is rotated', async () => {
    const authority = await here.open({ key: { store: token.uri('first') }, settleMs: 0 });
    const prepared = await authority.rotation.prepare();
    assert.ok(prepared.ok, prepared.ok ? '' : prepared.reason);
    assert.equal(existsSync(join(here.caDir, 'roots', '1', 'ca-key.pem')), false);
    assert.match(readFileSync(join(here.caDir, 'roots', '1', 'ca-key.uri'), 'utf8'), /object=first-g1/);
    const advanced = await authority.rotation.advance(NOBODY, true);
    assert.ok(advanced.ok);
    const made = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 60,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(made.ok, made.ok ? '' : made.refusal.reason);
  });
});
