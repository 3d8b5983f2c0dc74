import { KeyObject, verify } from 'node:crypto';
import type { JWTPayload } from 'jose';
import type { KeySet } from './jwks.ts';

export interface PlainRules {
  readonly issuer: string;
  readonly audience: string;
}

type Algorithm = 'ES256' | 'RS256';
type WebKey = Awaited<ReturnType<KeySet>>;

/**
 * The claims of a token that is as plain as Kubernetes makes them and good in every way; undefined for all others, which jose then judges.
 * Takes nothing that jose would not take (tested by comparison): the key is chosen by jose, only the signature is verified by
 * node:crypto on this thread, which costs a third of WebCrypto's way through a pool of threads.
 */
export async function plainClaims(token: string, keys: KeySet, rules: PlainRules, now: Date): Promise<JWTPayload | undefined> {
  const [header, payload, signature, extra] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || extra !== undefined) return undefined;
  const named = plainHeader(header);
  const claims = named && jsonObject(payload);
  const bytes = claims && canonical(signature);
  if (named === undefined || claims === undefined || bytes === undefined || !fits(claims, rules, now)) return undefined;
  let key: WebKey;
  try {
    key = await keys(named);
  } catch {
    return undefined;
  }
  const signed = Buffer.from(token.slice(0, header.length + 1 + payload.length), 'latin1');
  return signedBy(key, named.alg, signed, bytes) ? claims : undefined;
}

/** The bytes of base64url in its one spelling. */
function canonical(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function jsonObject(part: string): Record<string, unknown> | undefined {
  const bytes = canonical(part);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** `alg`, `kid`, perhaps `typ`, and nothing else: no `crit`, no keys that the token brings itself. */
function plainHeader(part: string): { readonly alg: Algorithm; readonly kid: string } | undefined {
  const { alg, kid, typ, ...others } = jsonObject(part) ?? {};
  if ((alg !== 'ES256' && alg !== 'RS256') || typeof kid !== 'string') return undefined;
  if ((typ !== undefined && typ !== 'JWT') || Object.keys(others).length > 0) return undefined;
  return { alg, kid };
}

function fits(claims: Record<string, unknown>, { issuer, audience }: PlainRules, now: Date): boolean {
  const { iss, aud, sub, exp, nbf, iat } = claims;
  const seconds = Math.floor(now.getTime() / 1000);
  return (
    iss === issuer &&
    (aud === audience || (Array.isArray(aud) && aud.includes(audience))) &&
    typeof sub === 'string' &&
    typeof exp === 'number' &&
    exp > seconds &&
    (nbf === undefined || (typeof nbf === 'number' && nbf <= seconds)) &&
    (iat === undefined || typeof iat === 'number')
  );
}

const keyObjects = new WeakMap<WebKey, KeyObject>();

function signedBy(key: WebKey, alg: Algorithm, signed: Buffer, signature: Buffer): boolean {
  const known = keyObjects.get(key) ?? KeyObject.from(key);
  keyObjects.set(key, known);
  try {
    switch (alg) {
      case 'ES256':
        return known.asymmetricKeyDetails?.namedCurve === 'prime256v1' && signature.length === 64
          ? verify('sha256', signed, known, derSignature(signature))
          : false;
      case 'RS256':
        return (known.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 && known.asymmetricKeyType === 'rsa'
          ? verify('sha256', signed, known, signature)
          : false;
      default:
        return alg satisfies never;
    }
  } catch {
    return false;
  }
}

/** r and s of 32 bytes each (RFC 7518, section 3.4) as OpenSSL reads them. The option for it of node:crypto costs more than this. */
function derSignature(signature: Buffer): Buffer {
  const [r, s] = [unsigned(signature.subarray(0, 32)), unsigned(signature.subarray(32))];
  return Buffer.concat([Buffer.of(0x30, r.length + s.length), r, s]);
}

function unsigned(value: Buffer): Buffer {
  let at = 0;
  while (at < value.length - 1 && value[at] === 0) at++;
  const digits = value.subarray(at);
  const pad = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([Buffer.of(0x02, digits.length + pad.length, ...pad), digits]);
}
