import { X509Certificate } from 'node:crypto';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { parseBundle, type TrustBundle } from '../identity/bundle.ts';
import { type JwtKeySet, parseJwtKeySet } from '../jwt/key-set.ts';

/** What another trust domain is trusted by. */
export interface FederatedBundle {
  /** Absent: no certificate of that domain is trusted. */
  readonly x509: TrustBundle | undefined;
  /** Absent: no token of that domain is trusted. */
  readonly jwt: JwtKeySet | undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Root certificates as PEM, or a SPIFFE bundle as JSON (SPIFFE Trust Domain and Bundle, section 4). */
export function parseFederatedBundle(text: string): Parsed<FederatedBundle> {
  if (!/^\s*\{/.test(text)) {
    const x509 = parseBundle(text);
    return x509.ok ? parsed({ x509: x509.value, jwt: undefined }) : x509;
  }
  const jwt = parseJwtKeySet(text);
  if (!jwt.ok) return jwt;
  const pem = authoritiesOf(text);
  if (!pem.ok) return pem;
  if (pem.value === '') return parsed({ x509: undefined, jwt: jwt.value });
  const x509 = parseBundle(pem.value);
  return x509.ok ? parsed({ x509: x509.value, jwt: jwt.value }) : x509;
}

/** The X.509 authorities of a SPIFFE bundle, PEM: one certificate in each key's `x5c`. */
function authoritiesOf(text: string): Parsed<string> {
  const document: unknown = JSON.parse(text);
  const keys: unknown = isRecord(document) ? document['keys'] : undefined;
  const blocks: string[] = [];
  for (const key of Array.isArray(keys) ? keys : []) {
    if (!isRecord(key) || key['use'] !== 'x509-svid') continue;
    const { x5c } = key;
    const [encoded, extra]: readonly unknown[] = Array.isArray(x5c) ? x5c : [];
    if (typeof encoded !== 'string' || extra !== undefined) return refused('an x509-svid key has not exactly one certificate');
    try {
      blocks.push(new X509Certificate(Buffer.from(encoded, 'base64')).toString());
    } catch {
      return refused('the certificate of an x509-svid key cannot be decoded');
    }
  }
  return parsed(blocks.join(''));
}
