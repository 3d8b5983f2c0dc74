import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

/** One signing key for JWT-SVIDs, ES256. It is published from the moment it exists, and signs from `activeFrom`. */
export interface JwtKey {
  /** RFC 7638 thumbprint: names the key by what it is, so that no two keys can share a name. */
  readonly kid: string;
  /** Milliseconds since the epoch. */
  readonly activeFrom: number;
  readonly privateKey: KeyObject;
  /** As a JWK Set publishes it. */
  readonly publicJwk: PublicJwk;
}

export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  /** The SPIFFE bundle format, section 4.2.2. */
  readonly use: 'jwt-svid';
  readonly alg: 'ES256';
}

export function newJwtKey(activeFrom: number): JwtKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = jwtKey(privateKey, activeFrom);
  if (!key.ok) throw new Error(key.reason);
  return key.value;
}

/** A key of ours as it is kept: PKCS#8 PEM. */
export function parseJwtKey(pem: string, activeFrom: number): Parsed<JwtKey> {
  try {
    return jwtKey(createPrivateKey(pem), activeFrom);
  } catch {
    // OpenSSL's message may quote the input.
    return refused('a key is no private key in PEM');
  }
}

function jwtKey(privateKey: KeyObject, activeFrom: number): Parsed<JwtKey> {
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) return refused('a key is not for ES256');
  // RFC 7638, section 3.2: the required members, in lexicographic order, without white space.
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return parsed({ kid, activeFrom, privateKey, publicJwk: { kty, crv, x, y, kid, use: 'jwt-svid', alg: 'ES256' } });
}
