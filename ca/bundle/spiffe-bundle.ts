import { createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

/** A trust bundle as trust domains exchange it (SPIFFE Trust Domain and Bundle, section 4). It does not say whose it is. */
export interface SpiffeBundle {
  readonly x509Authorities: readonly X509Certificate[];
  /** Public keys of JWT-SVIDs by key ID. */
  readonly jwtAuthorities: ReadonlyMap<string, KeyObject>;
  /** Grows with every change of the bundle. */
  readonly sequence?: number | undefined;
  /** How often a consumer should ask again. */
  readonly refreshHintSeconds?: number | undefined;
}

export const LARGEST_BUNDLE = 1024 * 1024;
const MOST_KEYS = 1_000;

/**
 * Parses a SPIFFE bundle (JWKS). A bundle without the list `keys` is refused, an empty list is taken: it says that the trust domain has
 * withdrawn all its keys (section 4.1.3). Keys of another or no `use` are left out, as the standard demands; a key of a known use that is
 * malformed refuses the whole, since half a bundle would cut callers off silently.
 */
export function parseSpiffeBundle(text: string): Parsed<SpiffeBundle> {
  if (text.length > LARGEST_BUNDLE) return refused('the bundle is larger than 1 MiB');
  const document = record(json(text));
  if (document === undefined) return refused('the bundle is no JSON object');
  const { keys } = document;
  if (!Array.isArray(keys)) return refused('no authorities found: there is no list `keys`');
  if (keys.length > MOST_KEYS) return refused(`there are more than ${MOST_KEYS} keys`);
  const sequence = count(document, 'spiffe_sequence');
  if (!sequence.ok) return sequence;
  const hint = count(document, 'spiffe_refresh_hint');
  if (!hint.ok) return hint;
  const x509Authorities: X509Certificate[] = [];
  const jwtAuthorities = new Map<string, KeyObject>();
  for (const [index, entry] of keys.entries()) {
    const key = record(entry);
    if (key === undefined) return refused(`key ${index} is no JSON object`);
    if (key['use'] === 'x509-svid') {
      const authority = x509Authority(key);
      if (!authority.ok) return refused(`x509-svid key ${index}: ${authority.reason}`);
      x509Authorities.push(authority.value);
    } else if (key['use'] === 'jwt-svid') {
      const { kid } = key;
      const publicKey = publicKeyOf(key);
      if (typeof kid !== 'string' || kid === '') return refused(`jwt-svid key ${index} has no key ID`);
      if (publicKey === undefined) return refused(`jwt-svid key ${index} is malformed or of a kind that is not supported`);
      if (jwtAuthorities.has(kid)) return refused(`the key ID ${JSON.stringify(kid)} appears twice`);
      jwtAuthorities.set(kid, publicKey);
    }
  }
  return parsed({ x509Authorities, jwtAuthorities, sequence: sequence.value, refreshHintSeconds: hint.value });
}

/** The bundle as JSON. The same bundle gives the same bytes. */
export function formatSpiffeBundle({ x509Authorities, jwtAuthorities, sequence, refreshHintSeconds }: SpiffeBundle): string {
  const keys = [
    ...x509Authorities.map((certificate) => ({
      use: 'x509-svid',
      ...certificate.publicKey.export({ format: 'jwk' }),
      x5c: [certificate.raw.toString('base64')],
    })),
    ...[...jwtAuthorities].map(([kid, key]) => ({ use: 'jwt-svid', kid, ...key.export({ format: 'jwk' }) })),
  ];
  const document = {
    keys,
    ...(sequence !== undefined && { spiffe_sequence: sequence }),
    ...(refreshHintSeconds !== undefined && { spiffe_refresh_hint: refreshHintSeconds }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The one CA certificate of a key (X.509-SVID, section 6.1); several are refused, as go-spiffe and Istio do. */
function x509Authority(key: Readonly<Record<string, unknown>>): Parsed<X509Certificate> {
  const { x5c } = key;
  const [encoded, extra]: readonly unknown[] = Array.isArray(x5c) ? x5c : [];
  if (typeof encoded !== 'string' || extra !== undefined) return refused('expected a single certificate in x5c');
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(Buffer.from(encoded, 'base64'));
  } catch {
    return refused('its certificate cannot be parsed');
  }
  if (!certificate.ca) return refused('its certificate is not a CA certificate');
  // RFC 7517, section 4.7: both must be the same key; else the two readings of one bundle could differ.
  return publicKeyOf(key)?.equals(certificate.publicKey) === true
    ? parsed(certificate)
    : refused("its certificate is not for the key's own parameters");
}

const PARAMETERS: readonly string[] = Object.freeze(['kty', 'crv', 'x', 'y', 'n', 'e']);

/** Public parameters only: a private key that somebody put into a bundle is not read. */
function publicKeyOf(key: Readonly<Record<string, unknown>>): KeyObject | undefined {
  const jwk: JsonWebKey = Object.fromEntries(PARAMETERS.flatMap((name) => (key[name] === undefined ? [] : [[name, key[name]]])));
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
}

function count(document: Readonly<Record<string, unknown>>, name: string): Parsed<number | undefined> {
  const value = document[name];
  if (value === undefined) return parsed(undefined);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? parsed(value)
    : refused(`${name} is not a whole number`);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}
