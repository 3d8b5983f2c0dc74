import { hash } from 'node:crypto';
import { errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { Caller, Checked } from './caller.ts';
import type { KeySource, KeySet } from './jwks.ts';
import { plainClaims } from './plain-token.ts';
import { identityOfClaims, podOfClaims } from './subject.ts';

export interface TokenRules {
  readonly keys: KeySource;
  readonly issuer: string;
  readonly audience: string;
  readonly trustDomain: TrustDomain;
  readonly clock: () => Date;
}

export type VerifyToken = (token: string) => Promise<Checked<Caller>>;

/** Neither `none` nor HMAC: the JWKS holds public keys only. */
const ALGORITHMS: readonly string[] = Object.freeze(['ES256', 'RS256', 'EdDSA', 'Ed25519']);
const MOST_REMEMBERED = 10_000;
const MOST_KEYS_TRIED = 16;

interface Verified {
  readonly caller: Caller;
  readonly notBefore: number;
  readonly expires: number;
}

/**
 * Verifies service-account tokens (RFC 7519): signature by the issuer's keys, issuer, audience, expiry (required), not
 * before. A verified token is remembered by its SHA-256 until it expires or the keys change, since an agent renews with
 * the same one; its times are checked on every use.
 */
export function tokenVerifier(rules: TokenRules): VerifyToken {
  const remembered = new Map<string, Verified>();
  let generation = -1;
  return async (token) => {
    const fresh = await rules.keys.fresh?.();
    if (fresh?.ok === false) return { ...fresh, unavailable: true };
    const now = rules.clock().getTime();
    let source = rules.keys.current();
    if (source.generation !== generation) remembered.clear();
    generation = source.generation;
    const digest = hash('sha256', token, 'base64');
    const known = remembered.get(digest);
    if (known !== undefined && now < known.expires && now >= known.notBefore) return parsed(known.caller);
    let claims = await claimsOf(token, source.keys, rules, new Date(now));
    if (!claims.ok && claims.reason === REASONS['ERR_JWKS_NO_MATCHING_KEY'] && (await rules.keys.missed?.()) === true) {
      source = rules.keys.current();
      claims = await claimsOf(token, source.keys, rules, new Date(now));
    }
    if (!claims.ok) return claims;
    const verified = verifiedFrom(claims.value, rules.trustDomain);
    if (verified.ok && source.generation === generation) {
      if (remembered.size >= MOST_REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
      remembered.set(digest, verified.value);
    }
    return verified.ok ? parsed(verified.value.caller) : verified;
  };
}

function verifiedFrom(claims: JWTPayload, trustDomain: TrustDomain): Parsed<Verified> {
  const id = identityOfClaims(claims, trustDomain);
  if (!id.ok) return id;
  if (claims.exp === undefined) return refused('the token has no expiry');
  const pod = podOfClaims(claims);
  return parsed({
    caller: { id: id.value, evidence: { kind: 'token', subject: claims.sub ?? '' }, ...(pod && { pod }) },
    notBefore: (claims.nbf ?? 0) * 1000,
    expires: claims.exp * 1000,
  });
}

async function claimsOf(token: string, keys: KeySet, rules: TokenRules, now: Date): Promise<Parsed<JWTPayload>> {
  const plain = await plainClaims(token, keys, rules, now);
  if (plain !== undefined) return parsed(plain);
  const options: JWTVerifyOptions = {
    algorithms: [...ALGORITHMS],
    issuer: rules.issuer,
    audience: rules.audience,
    requiredClaims: ['exp', 'sub'],
    currentDate: now,
  };
  try {
    return parsed((await jwtVerify(token, keys, options)).payload);
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return tryEach(token, error, options);
    return refused(whyNot(error));
  }
}

/** A token without `kid` where several keys fit its algorithm. */
async function tryEach(
  token: string,
  candidates: errors.JWKSMultipleMatchingKeys,
  options: JWTVerifyOptions,
): Promise<Parsed<JWTPayload>> {
  let tried = 0;
  let reason = 'no key of the issuer verifies the token';
  for await (const key of candidates) {
    if (++tried > MOST_KEYS_TRIED) break;
    try {
      return parsed((await jwtVerify(token, key, options)).payload);
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) reason = whyNot(error);
    }
  }
  return refused(reason);
}

/** Texts of our own, so that nothing of the token gets into answers and logs. */
const REASONS: Readonly<Record<string, string>> = Object.freeze({
  ERR_JWT_EXPIRED: 'the token has expired',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: "the token's signature does not verify with the issuer's keys",
  ERR_JWKS_NO_MATCHING_KEY: "no key of the issuer matches the token's key id and algorithm",
  ERR_JOSE_ALG_NOT_ALLOWED: "the token's algorithm is not allowed; use ES256, RS256 or EdDSA",
  ERR_JWS_INVALID: 'the token is malformed',
  ERR_JWT_INVALID: 'the token is malformed',
});

const CLAIM_REASONS: Readonly<Record<string, string>> = Object.freeze({
  iss: 'the token is of another issuer',
  aud: 'the token is for another audience',
  exp: 'the token has no valid expiry',
  nbf: 'the token is not valid yet',
  sub: 'the token has no subject',
});

function whyNot(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) return CLAIM_REASONS[error.claim] ?? 'the token has a wrong claim';
  return (error instanceof errors.JOSEError ? REASONS[error.code] : undefined) ?? 'the token cannot be verified';
}
