import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { memorySigner, type Signer } from '../key-store/signer.ts';

/** One signing key for JWT-SVIDs, ES256. It is published from the moment it exists, and signs from `activeFrom`. */
export interface JwtKey {
  /** RFC 7638 thumbprint: names the key by what it is, so that no two keys can share a name. */
  readonly kid: string;
  /** Milliseconds since the epoch. */
  readonly activeFrom: number;
  readonly signer: Signer;
  readonly kept: KeptKey;
  /** As a JWK Set publishes it. */
  readonly publicJwk: PublicJwk;
}

/** In this process's memory and a file, or in a PKCS#11 token. */
export type KeptKey =
  { readonly kind: 'file'; readonly privateKey: KeyObject } | { readonly kind: 'token'; readonly uri: string };

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
  const key = fileJwtKey(privateKey, activeFrom);
  if (!key.ok) throw new Error(key.reason);
  return key.value;
}

export function fileJwtKey(privateKey: KeyObject, activeFrom: number): Parsed<JwtKey> {
  const signer = memorySigner(privateKey);
  return signer.ok ? jwtKey(signer.value, { kind: 'file', privateKey }, activeFrom) : signer;
}

export function jwtKey(signer: Signer, kept: KeptKey, activeFrom: number): Parsed<JwtKey> {
  const { kty, crv, x, y } = signer.publicKey.export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) return refused('a key is not for ES256');
  // RFC 7638, section 3.2: the required members, in lexicographic order, without white space.
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return parsed({ kid, activeFrom, signer, kept, publicJwk: { kty, crv, x, y, kid, use: 'jwt-svid', alg: 'ES256' } });
}
