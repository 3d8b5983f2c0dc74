import { type JsonWebKeys, NO_USABLE_KEYS, parseJsonWebKeys } from '../../model/json-web-keys.ts';
import type { KeySource } from '../../model/request-authentication.ts';
import { duration } from '../duration.ts';
import type { Field } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';

/** As Istio waits where a rule does not say. */
const DEFAULT_TIMEOUT_MS = 5_000;

/** As the CRD has it. */
const LONGEST_URI = 2048;

type Fields = Readonly<Record<'issuer' | 'jwks' | 'jwksUri' | 'jwks_uri' | 'timeout', Field>>;

/** Where a rule's keys come from: `jwks`, `jwksUri` (or `jwks_uri`), else the issuer's OpenID configuration. */
export function keySource(rule: Field, fields: Fields, issuer: string | undefined): KeySource {
  const given = [fields.jwks, fields.jwksUri, fields.jwks_uri].filter((one) => one.given);
  const [, second] = given;
  if (second !== undefined)
    second.error('contradiction', 'only one of jwks, jwksUri and jwks_uri can be set', 'keep one of them');
  const timeoutMs = duration(fields.timeout, 1) ?? DEFAULT_TIMEOUT_MS;
  const address = fields.jwksUri.given ? fields.jwksUri : fields.jwks_uri;
  if (address.given) return { kind: 'uri', uri: keysUri(address), timeoutMs };
  if (rule.given && issuer === undefined)
    fields.issuer.error('missing-field', 'issuer or jwksUri must be set', 'as issuer: https://accounts.example.com');
  if (fields.jwks.given) return { kind: 'inline', keys: inlineKeys(fields.jwks) };
  return { kind: 'discovery', issuer: issuer ?? '', timeoutMs };
}

function keysUri(field: Field): string {
  const written = requiredText(field, 'as jwksUri: https://accounts.example.com/jwks.json');
  if (written === '') return written;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:') || written.length > LONGEST_URI) {
    field.error(
      'bad-uri',
      `"${shorten(written)}" is no http or https address`,
      'as jwksUri: https://accounts.example.com/jwks.json',
    );
  }
  return written;
}

function inlineKeys(field: Field): JsonWebKeys {
  const written = requiredText(field, 'a JWK Set, as jwks: \'{"keys": [...]}\'');
  if (written === '') return NO_USABLE_KEYS;
  const read = parseJsonWebKeys(written);
  if (!read.ok) {
    field.error(
      'bad-keys',
      `is no JWK Set: ${read.reason}`,
      'as jwks: \'{"keys": [{"kty": "RSA", "kid": "...", "n": "...", "e": "AQAB"}]}\'',
    );
    return NO_USABLE_KEYS;
  }
  const { keys, secrets } = read.value;
  if (secrets > 0) {
    field.warning(
      'private-key',
      `${secrets} of the keys hold private or shared key material, which whoever reads this object can sign tokens with`,
      'publish the public keys only, and replace these',
    );
  }
  if (keys === NO_USABLE_KEYS)
    field.warning(
      'no-keys',
      'no key in it can verify a token, so every token of the issuer is refused',
      'add RSA, EC or OKP keys',
    );
  return keys;
}
