import { strict as assert } from 'node:assert';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import * as fc from 'fast-check';
import { createLocalJWKSet, exportJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import type { KeySet } from '../../../ca/authenticate/jwks.ts';
import { plainClaims } from '../../../ca/authenticate/plain-token.ts';

const NOW = new Date('2026-11-21T12:00:00.500Z');
const SECONDS = Math.floor(NOW.getTime() / 1000);
const RULES = { issuer: 'https://kubernetes.default.svc', audience: 'istio-ca' };
const SEED = 20261121;

describe('ca/authenticate: plain tokens', () => {
  const keys = {
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    other: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  };
  let set: KeySet;

  before(async () => {
    const jwk = async (key: KeyObject, more: JWK): Promise<JWK> => ({ ...(await exportJWK(key)), ...more });
    set = createLocalJWKSet({
      keys: [
        await jwk(keys.ES256.publicKey, { kid: 'ES256', alg: 'ES256', use: 'sig' }),
        await jwk(keys.RS256.publicKey, { kid: 'RS256', alg: 'RS256', use: 'sig' }),
        await jwk(keys.other.publicKey, { kid: 'other' }),
        await jwk(keys.ES256.publicKey, { kid: 'twice' }),
        await jwk(keys.ES256.publicKey, { kid: 'twice' }),
        await jwk(keys.ES256.publicKey, { kid: 'encrypts', use: 'enc' }),
      ],
    });
  });

  const claims = {
    iss: RULES.issuer,
    aud: [RULES.audience],
    sub: 'system:serviceaccount:shop:cart',
    exp: SECONDS + 60,
    nbf: SECONDS,
    iat: SECONDS,
    'kubernetes.io': { namespace: 'shop' },
  };
  const tokenOf = (alg: 'ES256' | 'RS256', changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
    new SignJWT({ ...claims, ...changes }).setProtectedHeader({ kid: alg, ...header, alg }).sign(keys[alg].privateKey);
  const plain = (token: string) => plainClaims(token, set, RULES, NOW);
  const byJose = async (token: string): Promise<unknown> => {
    const options = { ...RULES, algorithms: ['ES256', 'RS256'], requiredClaims: ['exp', 'sub'], currentDate: NOW };
    return jwtVerify(token, set, options).then(
      ({ payload }) => payload,
      () => undefined,
    );
  };

  it('are taken, with the claims that jose reads', async () => {
    for (const alg of ['ES256', 'RS256'] as const) {
      // Signatures differ from one to the next, in their length as DER too.
      for (let time = 0; time < (alg === 'ES256' ? 200 : 2); time++) {
        const token = await tokenOf(alg, { jti: String(time) });
        assert.deepEqual(await plain(token), { ...claims, jti: String(time) });
      }
      assert.ok(await plain(await tokenOf(alg, { aud: RULES.audience }, { typ: 'JWT' })));
    }
  });

  it('are not: expired, early, of others, for others, with other headers', async () => {
    const changes: Record<string, unknown>[] = [
      { exp: SECONDS },
      { exp: undefined },
      { exp: `${SECONDS + 60}` },
      { nbf: SECONDS + 1 },
      { iss: 'https://elsewhere' },
      { aud: 'vault' },
      { aud: [] },
      { sub: undefined },
    ];
    for (const change of changes) assert.equal(await plain(await tokenOf('ES256', change)), undefined, JSON.stringify(change));
    const jwk = await exportJWK(keys.ES256.publicKey);
    for (const header of [
      { kid: undefined },
      { kid: 'none' },
      { kid: 'twice' },
      { kid: 'other' },
      { kid: 'encrypts' },
      { jwk },
      { typ: 'at+jwt' },
      { cty: 'x' },
    ])
      assert.equal(await plain(await tokenOf('ES256', {}, header)), undefined, JSON.stringify(header));
    assert.equal(await plain(await tokenOf('ES256', {}, { kid: 'RS256' })), undefined);
    const forged = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'ES256' });
    assert.equal(await plain(await forged.sign(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)), undefined);
    const none = Buffer.from('{"alg":"none","kid":"ES256"}').toString('base64url');
    assert.equal(await plain((await tokenOf('ES256')).replace(/^[^.]+/, none).replace(/[^.]+$/, '')), undefined);
  });

  it(`never take what jose refuses (seed ${SEED})`, async () => {
    const tokens = [await tokenOf('ES256'), await tokenOf('RS256')];
    const mutated = fc.record({
      token: fc.constantFrom(...tokens),
      at: fc.nat(),
      by: fc.oneof(fc.constantFrom('', '.', '=', '+', '/', ' ', '\n'), fc.string({ maxLength: 3 })),
      cut: fc.nat({ max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(mutated, async ({ token, at, by, cut }) => {
        const where = at % (token.length + 1);
        const text = token.slice(0, where) + by + token.slice(where + cut);
        const taken = await plain(text);
        if (taken !== undefined) assert.deepEqual(taken, await byJose(text));
        if (text !== token) assert.equal(taken, undefined, text);
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });
});
