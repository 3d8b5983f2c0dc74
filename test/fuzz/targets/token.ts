import { strict as assert } from 'node:assert';
import { sign } from 'node:crypto';
import { authenticate } from '../../../ca/authenticate/caller.ts';
import { keySetFile } from '../../../ca/authenticate/jwks.ts';
import { tokenVerifier } from '../../../ca/authenticate/token.ts';
import { refused } from '../../../ca/identity/parsed.ts';
import { must } from '../../ca/identity/must.ts';
import { AUDIENCE, ISSUER, TD, world } from '../../ca/world.ts';
import { mutate } from '../mutate.ts';
import { oneOf, type Random } from '../random.ts';
import type { Target } from '../target.ts';

const partsOf = (token: string): readonly Buffer[] => token.split('.').map((part) => Buffer.from(part, 'base64url'));

/** Bearer tokens through header, signature and claims. */
export async function tokenTarget(): Promise<Target> {
  const here = await world();
  const keys = must(keySetFile(here.jwksFile, here.log));
  const verify = tokenVerifier({ keys, issuer: ISSUER, audience: AUDIENCE, trustDomain: TD, clock: () => new Date() });
  const pod = { namespace: 'shop', serviceaccount: { name: 'cart' }, pod: { name: 'cart-1', uid: 'u' }, node: { name: 'n' } };
  const tokens = await Promise.all([
    here.tokens.token(),
    here.tokens.token({ aud: ['a', AUDIENCE], nbf: 1 }),
    here.tokens.token({ extra: { 'kubernetes.io': pod } }),
  ]);
  const texts = tokens.map((token) => Buffer.from(token));
  const seeds = tokens.map(partsOf);

  /** Half with a signature that is right whatever the content. */
  const input = (random: Random): { readonly token: string; readonly signed: boolean } => {
    if (random() < 0.02) return { token: oneOf(random, tokens), signed: true };
    if (random() < 0.5) return { token: mutate(texts, random).toString('latin1'), signed: false };
    const [header = Buffer.alloc(0), payload = Buffer.alloc(0)] = oneOf(random, seeds);
    const both = random() < 0.2 ? [mutate([header], random), payload] : [header, mutate([payload], random)];
    const text = both.map((part) => part.toString('base64url')).join('.');
    const signature = sign('sha256', Buffer.from(text), { key: here.tokens.key, dsaEncoding: 'ieee-p1363' });
    return { token: `${text}.${signature.toString('base64url')}`, signed: true };
  };
  return {
    name: 'token',
    async run(random, told) {
      const { token, signed } = input(random);
      told(token);
      const caller = await authenticate([`Bearer ${token}`], { certificate: () => refused('none'), token: verify });
      if (!caller.ok) {
        assert.equal(caller.refusal.code, 'unauthenticated');
        assert.ok(caller.refusal.reason.length < 500);
        return 'refused';
      }
      // The claims, read by nothing of the authority.
      const [, payload = Buffer.alloc(0)] = partsOf(token);
      if (!signed)
        assert.ok(
          seeds.some((seed) => seed[1]?.equals(payload)),
          'claims that nobody signed',
        );
      const claims: { sub: string; iss: string; aud: string | string[]; exp: number } = JSON.parse(payload.toString('utf8'));
      const [, , namespace, account] = claims.sub.split(':');
      assert.equal(caller.value.id, `spiffe://${TD}/ns/${namespace}/sa/${account}`);
      assert.equal(claims.iss, ISSUER);
      assert.ok([claims.aud].flat().includes(AUDIENCE));
      assert.ok(claims.exp * 1000 > Date.now());
      return 'accepted';
    },
    close: () => here.close(),
  };
}
