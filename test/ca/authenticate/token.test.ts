import { strict as assert } from 'node:assert';
import { generateKeyPairSync } from 'node:crypto';
import { renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { authenticate, type Caller } from '../../../ca/authenticate/caller.ts';
import { keySetFile, parseKeySet } from '../../../ca/authenticate/jwks.ts';
import { tokenVerifier } from '../../../ca/authenticate/token.ts';
import { refused, type Parsed } from '../../../ca/identity/parsed.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { must } from '../identity/must.ts';
import { account, AUDIENCE, ISSUER, memoryLog, TD, temporaryFolder, tokenIssuer } from '../world.ts';

const NOW = Date.UTC(2026, 10, 21, 12);

describe('ca/authenticate: tokens', () => {
  let temporary: ReturnType<typeof temporaryFolder>;
  let path: string;
  let [now, monotonic] = [NOW, 0];
  const { log, lines } = memoryLog();
  const issuer = tokenIssuer('k1', () => new Date(now));
  const put = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    monotonic += 1000;
  };
  const verifier = () =>
    tokenVerifier({
      keys: must(keySetFile(path, log, () => monotonic)),
      issuer: ISSUER,
      audience: AUDIENCE,
      trustDomain: TD,
      clock: () => new Date(now),
    });
  const idOf = (caller: Parsed<Caller>) => (caller.ok ? caller.value.id : `refused: ${caller.reason}`);

  beforeEach(async () => {
    temporary = temporaryFolder();
    path = join(temporary.path, 'jwks.json');
    [now, monotonic] = [NOW, 0];
    lines.length = 0;
    writeFileSync(path, await issuer.jwks());
  });
  afterEach(() => temporary.remove());

  it('name a service account', async () => {
    assert.equal(idOf(await verifier()(await issuer.token())), 'spiffe://cluster.local/ns/shop/sa/cart');
    assert.equal(
      idOf(await verifier()(await issuer.token({ aud: ['other', AUDIENCE] }))),
      'spiffe://cluster.local/ns/shop/sa/cart',
    );
  });

  it('must agree with themselves', async () => {
    const claim = (namespace: string, name: string) => ({ extra: { 'kubernetes.io': { namespace, serviceaccount: { name } } } });
    assert.match(idOf(await verifier()(await issuer.token(claim('shop', 'cart')))), /^spiffe/);
    for (const claims of [claim('shop', 'admin'), claim('kube-system', 'cart'), { extra: { 'kubernetes.io': 'yes' } }])
      assert.match(idOf(await verifier()(await issuer.token(claims))), /disagree/);
  });

  it('must name exactly one service account', async () => {
    for (const sub of [
      'system:serviceaccount:shop',
      'system:serviceaccount:a:b:c',
      'system:serviceaccount:shop:',
      'cart',
      'system:serviceaccount:a/b:c',
      'system:serviceaccount:..:c',
      'system:serviceaccount:a:b\n',
    ])
      assert.match(idOf(await verifier()(await issuer.token({ sub }))), /refused/, sub);
  });

  it('end when they say, remembered or not, by our clock', async () => {
    const verify = verifier();
    const token = await issuer.token({ exp: NOW / 1000 + 60 });
    assert.match(idOf(await verify(token)), /^spiffe/);
    now += 59_999;
    assert.match(idOf(await verify(token)), /^spiffe/);
    now += 1;
    assert.match(idOf(await verify(token)), /has expired/);
    const early = await issuer.token({ nbf: now / 1000 + 60 });
    assert.match(idOf(await verify(early)), /not valid yet/);
    now += 60_000;
    assert.match(idOf(await verify(early)), /^spiffe/);
    now -= 60_000;
    assert.match(idOf(await verify(early)), /not valid yet/);
  });

  it('verify by EdDSA and RS256, not by HMAC, RS512 or keys of the wrong kind', async () => {
    const pairs = {
      EdDSA: await generateKeyPair('EdDSA'),
      RS256: await generateKeyPair('RS256'),
      RS512: await generateKeyPair('RS512'),
    };
    const jwks = await Promise.all(
      Object.entries(pairs).map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid })),
    );
    writeFileSync(path, JSON.stringify({ keys: jwks }));
    const token = (alg: string, kid: string, key: CryptoKey | Uint8Array) =>
      new SignJWT()
        .setProtectedHeader({ alg, kid })
        .setSubject(account('a', 'b'))
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setExpirationTime(NOW / 1000 + 60)
        .sign(key);
    assert.match(idOf(await verifier()(await token('EdDSA', 'EdDSA', pairs.EdDSA.privateKey))), /^spiffe/);
    assert.match(idOf(await verifier()(await token('RS256', 'RS256', pairs.RS256.privateKey))), /^spiffe/);
    assert.match(idOf(await verifier()(await token('RS512', 'RS512', pairs.RS512.privateKey))), /algorithm is not allowed/);
    assert.match(
      idOf(await verifier()(await token('HS256', 'RS256', Buffer.from(JSON.stringify(jwks[1]))))),
      /algorithm is not allowed/,
    );
    assert.match(idOf(await verifier()(await token('RS256', 'EdDSA', pairs.RS256.privateKey))), /no key of the issuer/);
  });

  it('without a key id are tried with every key that fits', async () => {
    const [one, two] = [tokenIssuer('a', () => new Date(now)), tokenIssuer('b', () => new Date(now))];
    const keys = (text: string): unknown => must(parseKeySet(text)).keys[0];
    writeFileSync(path, JSON.stringify({ keys: [keys(await one.jwks()), keys(await two.jwks())] }));
    const unnamed = await new SignJWT()
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject(account('a', 'b'))
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setExpirationTime(NOW / 1000 + 60)
      .sign(two.key);
    assert.match(idOf(await verifier()(unnamed)), /^spiffe/);
    const stranger = await new SignJWT()
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject(account('a', 'b'))
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setExpirationTime(NOW / 1000 + 60)
      .sign(issuer.key);
    assert.match(idOf(await verifier()(stranger)), /no key of the issuer verifies/);
  });

  it('verify by new keys when the file changes, and the old ones stop', async () => {
    const verify = verifier();
    const old = await issuer.token();
    assert.match(idOf(await verify(old)), /^spiffe/);
    const next = tokenIssuer('k2', () => new Date(now));
    put(await next.jwks());
    assert.match(idOf(await verify(await next.token())), /^spiffe/);
    assert.match(idOf(await verify(old)), /no key of the issuer/);
  });

  it('keep the last good keys when the file breaks, with one complaint', async () => {
    const verify = verifier();
    const token = await issuer.token();
    for (const text of ['{', '{"keys":[]}', '[]', '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}']) {
      lines.length = 0;
      put(text);
      assert.match(idOf(await verify(token)), /^spiffe/);
      monotonic += 1000;
      assert.match(idOf(await verify(token)), /^spiffe/);
      assert.ok(lines.filter(({ msg }) => String(msg).includes('last good')).length <= 1);
    }
    rmSync(path);
    monotonic += 1000;
    assert.match(idOf(await verify(token)), /^spiffe/);
    assert.ok(lines.some(({ problem }) => String(problem).includes('ENOENT')));
  });

  it('keys: private and symmetric ones make a file unusable', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const leaked = parseKeySet(JSON.stringify({ keys: [await exportJWK(privateKey)] }));
    assert.equal(leaked.ok, false);
    assert.equal(keySetFile(join(temporary.path, 'absent'), log).ok, false);
    const times = statSync(path);
    utimesSync(path, times.atime, times.mtime);
  });
});

describe('ca/authenticate: which evidence counts', () => {
  const caller = (name: string, kind: 'token' | 'certificate'): Parsed<Caller> => ({
    ok: true,
    value: { id: must(parseSpiffeId(`spiffe://cluster.local/ns/a/sa/${name}`)), evidence: { kind, subject: name } },
  });
  const no = refused('not good');
  const by = async (certificate: Parsed<Caller>, token: Parsed<Caller>, authorization: readonly string[]) => {
    const result = await authenticate(authorization, { certificate: () => certificate, token: () => Promise.resolve(token) });
    return result.ok ? `${result.value.evidence.kind} ${result.value.evidence.subject}` : result.refusal.code;
  };

  it('is decided by what is good; two that disagree are refused', async () => {
    const header = ['Bearer abc'];
    assert.equal(await by(caller('x', 'certificate'), caller('x', 'token'), header), 'certificate x');
    assert.equal(await by(caller('x', 'certificate'), caller('y', 'token'), header), 'unauthenticated');
    assert.equal(await by(caller('x', 'certificate'), no, header), 'certificate x');
    assert.equal(await by(no, caller('x', 'token'), header), 'token x');
    assert.equal(await by(no, caller('x', 'token'), ['bearer  abc']), 'token x');
    assert.equal(await by(no, no, header), 'unauthenticated');
  });

  it('is never a header of another form', async () => {
    for (const header of [
      [],
      ['abc'],
      ['Basic abc'],
      ['Bearer'],
      ['Bearer '],
      ['Bearer a b'],
      ['Bearer a', 'Bearer a'],
      [`Bearer ${'a'.repeat(20_000)}`],
    ])
      assert.equal(await by(no, caller('x', 'token'), header), 'unauthenticated');
  });
});
