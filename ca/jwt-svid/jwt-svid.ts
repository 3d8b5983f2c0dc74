import type { Caller } from '../authenticate/caller.ts';
import type { SpiffeId } from '../identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import type { JwtKey } from './key.ts';
import { rawSignature } from './raw-signature.ts';

export interface JwtSvidRequest {
  readonly audience: readonly string[];
  /** Seconds asked for; 0 asks for the default. */
  readonly ttlSeconds: number;
  /** The identity asked for; empty asks for the caller's own. */
  readonly spiffeId: string;
}

export interface JwtSvid extends JwtSvidClaims {
  readonly svid: string;
  readonly kid: string;
}

export interface JwtSvidGrant {
  readonly spiffeId: SpiffeId;
  readonly audience: readonly string[];
  readonly ttlSeconds: number;
}

/** A grant with its times: all that the token will say. */
export interface JwtSvidClaims extends Omit<JwtSvidGrant, 'ttlSeconds'> {
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

const MOST_AUDIENCES = 16;
const LONGEST_AUDIENCE = 2048;
// Printable, so that what is logged and compared is what it looks like.
const AUDIENCE = /^[\x21-\x7e]+$/;

/** What a caller may have: a token for its own SPIFFE ID and no other, for a named audience, for a short time. */
export function grantJwtSvid(caller: Caller, asked: JwtSvidRequest, maxTtlSeconds: number): Outcome<JwtSvidGrant> {
  const audience = [...new Set(asked.audience)];
  if (audience.length === 0) return refuse('invalid', 'no audience: a token for everybody is never issued');
  if (audience.length > MOST_AUDIENCES) return refuse('invalid', `more than ${MOST_AUDIENCES} audiences`);
  if (audience.some((text) => text.length > LONGEST_AUDIENCE || !AUDIENCE.test(text)))
    return refuse('invalid', `an audience is empty, longer than ${LONGEST_AUDIENCE} characters, or not printable ASCII`);
  if (!Number.isFinite(asked.ttlSeconds) || asked.ttlSeconds < 0)
    return refuse('invalid', 'the lifetime asked for is not a number of seconds');
  if (asked.spiffeId !== '' && asked.spiffeId !== caller.id)
    return refuse('forbidden', `${caller.id} may not have a JWT-SVID for another identity`);
  const ttlSeconds = asked.ttlSeconds === 0 ? maxTtlSeconds : Math.max(1, Math.min(Math.floor(asked.ttlSeconds), maxTtlSeconds));
  return outcome({ spiffeId: caller.id, audience, ttlSeconds });
}

/** Whole seconds, as JWT has them; never longer than was granted. */
export function datedClaims({ spiffeId, audience, ttlSeconds }: JwtSvidGrant, now: Date): JwtSvidClaims {
  const issuedAt = Math.floor(now.getTime() / 1000) * 1000;
  return { spiffeId, audience, issuedAt: new Date(issuedAt), expiresAt: new Date(issuedAt + ttlSeconds * 1000) };
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const seconds = (time: Date): number => Math.floor(time.getTime() / 1000);

/**
 * Signs (JWT-SVID, sections 2 and 3; JWS compact serialization, RFC 7515, section 7.1): `alg`, `kid` and `typ` in the header; `sub`, `aud`,
 * `exp` and `iat`. Rejects when a key in a device cannot be reached.
 */
export async function signJwtSvid(claims: JwtSvidClaims, { kid, signer }: JwtKey): Promise<JwtSvid> {
  const { spiffeId: sub, audience: aud, issuedAt, expiresAt } = claims;
  const header = { alg: 'ES256', kid, typ: 'JWT' };
  const signed = `${base64url(header)}.${base64url({ sub, aud, iat: seconds(issuedAt), exp: seconds(expiresAt) })}`;
  const signature = rawSignature(await signer.sign(Buffer.from(signed)));
  if (signature === undefined) throw new Error('the signature is none of ES256');
  return { ...claims, svid: `${signed}.${signature.toString('base64url')}`, kid };
}
