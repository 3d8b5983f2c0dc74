import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';

declare const checked: unique symbol;

/**
 * A JWK Set (RFC 7517) in one spelling: keys and their members sorted, so that sets with the same keys are the same text.
 * Nothing private is in it but the secrets of symmetric keys, which verify and sign alike.
 */
export type JsonWebKeys = string & { readonly [checked]: true };

export interface ReadKeys {
  readonly keys: JsonWebKeys;
  /** How many keys came with their private part, which is left out, or are a shared secret. */
  readonly secrets: number;
}

const LARGEST = 1024 * 1024;

/** A token that names no key is tried with each. */
const MOST_KEYS = 500;

/** RFC 7518, section 6, and RFC 8037; the types that Envoy verifies with. */
const TYPES: ReadonlySet<string> = new Set(['RSA', 'EC', 'OKP', 'oct']);

/** Members of private keys: RFC 7518, sections 6.2.2 and 6.3.2. */
const PRIVATE: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth']);

type Members = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.isWellFormed();
}

/** What verifies is text, or a list of texts (`x5c`). Other values, and halves of characters, only make some parsers refuse the whole set. */
function isMember([name, value]: readonly [string, unknown]): boolean {
  if (PRIVATE.has(name) || !isText(name)) return false;
  return Array.isArray(value) ? value.every(isText) : isText(value);
}

function spelled(key: Members): string {
  const members = Object.entries(key).filter(isMember);
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(Object.fromEntries(members));
}

/** Parses a JWK Set. Keys of types that are not known here are left out, since nothing could be verified by them. */
export function parseJsonWebKeys(text: string): Parsed<ReadKeys> {
  if (text.length > LARGEST) return refused('it is larger than 1 MiB');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('it is not JSON');
  }
  const list = isObject(value) ? value['keys'] : undefined;
  if (!Array.isArray(list)) return refused('it has no list "keys"');
  if (list.length > MOST_KEYS) return refused(`it holds more than ${MOST_KEYS} keys`);
  const keys = list.filter(isObject);
  if (keys.length !== list.length) return refused('it holds something that is no key');
  const known = keys.filter(({ kty }) => typeof kty === 'string' && TYPES.has(kty));
  const texts = [...new Set(known.map(spelled))].sort();
  return parsed({
    // The one place in which the brand is given.
    keys: `{"keys":[${texts.join(',')}]}` as JsonWebKeys,
    secrets: known.filter((key) => key['kty'] === 'oct' || 'd' in key).length,
  });
}

/** No key at all: no token is verified by it. */
export const NO_USABLE_KEYS = '{"keys":[]}' as JsonWebKeys;
