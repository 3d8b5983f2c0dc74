import { type JsonWebKeys, NO_USABLE_KEYS } from '../../mesh/model/json-web-keys.ts';

/**
 * A key that nobody can sign with: a point of P-256 whose x is SHA-256 of "Gatehouse: no one has the private part of this key"
 * (hashed again until it is one), its y the even one. Its private part would have to be guessed like any other; a test derives it anew.
 */
const NOBODYS = Object.freeze({
  crv: 'P-256',
  kid: 'gatehouse-nobody',
  kty: 'EC',
  x: 'grMn8fy1ckow7RJeiOrQMZwZh3Olmr0ZukOgyz55BCE',
  y: 'O4MgEN2YKUPeiQXaYh3IkZ_nJjoWWfd6JicY6OKMYc4',
});

const NOBODY = `{"keys":[${JSON.stringify(NOBODYS)}]}`;

/**
 * Keys as Envoy takes them. It refuses a whole configuration in which a key set has no key that it can read, and skips those it
 * cannot read where it finds one that it can: so one is always there. With no other, every token is refused.
 */
export function keySet(keys: JsonWebKeys | undefined): string {
  if (keys === undefined || keys === NO_USABLE_KEYS) return NOBODY;
  return `${keys.slice(0, -2)},${JSON.stringify(NOBODYS)}]}`;
}
