import { parsed, refused, type Parsed } from './parsed.ts';

declare const trustDomain: unique symbol;

/** A SPIFFE trust domain name (SPIFFE-ID section 2.1). Made only by the parsers here, compared with `===`. */
export type TrustDomain = string & { readonly [trustDomain]: true };

// The SPIFFE-ID standard, section 2.3.
const LONGEST = 255;

const NAME = /^[a-z0-9._-]+$/;

function isTrustDomain(text: string): text is TrustDomain {
  return text.length <= LONGEST && NAME.test(text);
}

/**
 * Parses a bare trust domain name, as go-spiffe does: lower-case letters, digits, dots, dashes and underscores.
 * Upper case is refused, not folded: two spellings of one name would be two identities to whoever compares strings.
 */
export function parseTrustDomain(text: string): Parsed<TrustDomain> {
  if (isTrustDomain(text)) return parsed(text);
  if (text === '') return refused('trust domain is missing');
  if (text.length > LONGEST) return refused(`trust domain is longer than ${LONGEST} bytes`);
  return refused('trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores');
}

/**
 * Parses MeshConfig's `trustDomain`, where Istio allows an `@` (as in the address of a cloud service account) and
 * writes it as a dot in every SPIFFE ID.
 */
export function parseMeshTrustDomain(text: string): Parsed<TrustDomain> {
  return parseTrustDomain(text.replaceAll('@', '.'));
}
