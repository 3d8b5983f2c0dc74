import { SignJWT } from 'jose';
import type { Caller } from '../authenticate/caller.ts';
import type { SpiffeId } from '../identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import type { JwtKey } from './key.ts';

export interface JwtSvidRequest {
  readonly audience: readonly string[];
  /** Seconds asked for; 0 asks for the default. */
  readonly ttlSeconds: number;
  /** The identity asked for; empty asks for the caller's own. */
  readonly spiffeId: string;
}

export interface JwtSvid {
  readonly svid: string;
  readonly spiffeId: SpiffeId;
  readonly audience: readonly string[];
  readonly kid: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

export interface JwtSvidGrant {
  readonly spiffeId: SpiffeId;
  readonly audience: readonly string[];
  readonly ttlSeconds: number;
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

/** Signs a grant (JWT-SVID, sections 2 and 3): `alg`, `kid` and `typ` in the header; `sub`, `aud`, `exp` and `iat`. */
export async function signJwtSvid(grant: JwtSvidGrant, key: JwtKey, now: Date): Promise<JwtSvid> {
  const issuedAt = Math.floor(now.getTime() / 1000);
  const expiresAt = issuedAt + grant.ttlSeconds;
  const svid = await new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'JWT' })
    .setSubject(grant.spiffeId)
    .setAudience([...grant.audience])
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(key.privateKey);
  return {
    svid,
    spiffeId: grant.spiffeId,
    audience: grant.audience,
    kid: key.kid,
    issuedAt: new Date(issuedAt * 1000),
    expiresAt: new Date(expiresAt * 1000),
  };
}
