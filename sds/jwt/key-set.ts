import { createPublicKey, type KeyObject } from 'node:crypto';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

/** The public keys of one trust domain's JWT-SVIDs. */
export interface JwtKeySet {
  /** A JWK Set with these keys and nothing else: what clients are given. The same keys give the same text. */
  readonly json: string;
  readonly byKid: ReadonlyMap<string, KeyObject>;
}

const LARGEST = 1 << 20;
const MOST_KEYS = 1000;
/** Public parameters only: a private key that somebody put there is not passed on. */
const MEMBERS: readonly string[] = Object.freeze(['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg']);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The JWT keys of a JWK Set (SPIFFE Trust Domain and Bundle, section 4). Keys of another use are left out, as the standard
 * demands; a malformed one refuses the whole. A set may be empty: its trust domain has withdrawn its keys.
 */
export function parseJwtKeySet(text: string): Parsed<JwtKeySet> {
  if (text.length > LARGEST) return refused('the key set is larger than 1 MiB');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return refused('the key set is not JSON');
  }
  const entries = isRecord(document) ? document['keys'] : undefined;
  if (!Array.isArray(entries) || entries.length > MOST_KEYS) return refused('the key set has no list of keys, or too many');
  const keys: Readonly<Record<string, unknown>>[] = [];
  const byKid = new Map<string, KeyObject>();
  for (const entry of entries) {
    if (!isRecord(entry) || entry['use'] !== 'jwt-svid') continue;
    const { kid } = entry;
    if (typeof kid !== 'string' || kid === '') return refused('a key has no key ID');
    if (byKid.has(kid)) return refused('a key ID is there twice');
    const jwk = Object.fromEntries(MEMBERS.flatMap((name) => (entry[name] === undefined ? [] : [[name, entry[name]]])));
    try {
      byKid.set(kid, createPublicKey({ key: jwk, format: 'jwk' }));
    } catch {
      return refused('a key is malformed or of a kind that is not supported');
    }
    keys.push({ ...jwk, use: 'jwt-svid' });
  }
  return parsed({ json: JSON.stringify({ keys }), byKid });
}
