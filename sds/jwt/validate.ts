import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { type Parsed, refused } from '../../ca/identity/parsed.ts';
import { parseSpiffeId, type SpiffeId, trustDomainOf } from '../../ca/identity/spiffe-id.ts';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { JwtKeySet } from './key-set.ts';

/** JWT-SVID, section 2.1: nothing symmetric, nothing unsigned. */
const ALGORITHMS: readonly string[] = Object.freeze(
  ['RS', 'ES', 'PS'].flatMap((family) => ['256', '384', '512'].map((size) => family + size)),
);
const LARGEST_TOKEN = 16 * 1024;
/** Clocks of two machines differ a little. */
const TOLERANCE_SECONDS = 5;

export type Validation =
  | { readonly ok: true; readonly id: SpiffeId; readonly claims: JsonObject }
  /** `unknownKey`: newer key sets may have the key. */
  | { readonly ok: false; readonly reason: string; readonly unknownKey?: true };

/**
 * Validates a JWT-SVID (JWT-SVID standard, section 4): known algorithm, `kid`, `typ` JWT or JOSE if there, a SPIFFE ID as
 * subject, signed by a key of that ID's trust domain, for the audience, not expired. Reasons never quote the token.
 */
export async function validateToken(
  token: string,
  audience: string,
  sets: ReadonlyMap<TrustDomain, JwtKeySet>,
  now: Date,
): Promise<Validation> {
  if (token.length > LARGEST_TOKEN) return { ok: false, reason: 'the token is larger than 16 KiB' };
  const read = readToken(token);
  if (!read.ok) return read;
  const { alg, kid, id } = read.value;
  const set = sets.get(trustDomainOf(id));
  if (set === undefined)
    return { ok: false, reason: 'the token is of a trust domain that is not trusted here', unknownKey: true };
  const key = set.byKid.get(kid);
  if (key === undefined) return { ok: false, reason: "no key of the token's trust domain has its key ID", unknownKey: true };
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [alg],
      audience,
      requiredClaims: ['exp', 'sub', 'aud'],
      currentDate: now,
      clockTolerance: TOLERANCE_SECONDS,
    });
    return { ok: true, id, claims: claimsOf(payload) };
  } catch (error) {
    return { ok: false, reason: whyNot(error) };
  }
}

function readToken(token: string): Parsed<{ readonly alg: string; readonly kid: string; readonly id: SpiffeId }> {
  let header: ReturnType<typeof decodeProtectedHeader>;
  let payload: JWTPayload;
  try {
    header = decodeProtectedHeader(token);
    payload = decodeJwt(token);
  } catch {
    return refused('the token is no signed JWT');
  }
  const { alg, kid, typ } = header;
  if (alg === undefined || !ALGORITHMS.includes(alg)) return refused("the token's algorithm is not allowed");
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') return refused("the token's type is not JWT or JOSE");
  if (kid === undefined || kid === '') return refused('the token has no key ID');
  const id = parseSpiffeId(payload.sub ?? '');
  return id.ok ? { ok: true, value: { alg, kid, id: id.value } } : refused("the token's subject is no SPIFFE ID");
}

function claimsOf(payload: JWTPayload): JsonObject {
  const claims: Record<string, JsonValue> = JSON.parse(JSON.stringify(payload));
  return claims;
}

const CLAIMS: Readonly<Record<string, string>> = Object.freeze({
  aud: 'the token is for another audience',
  exp: 'the token has no expiry',
  nbf: 'the token is not valid yet',
});

function whyNot(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return CLAIMS[error.claim] ?? 'a claim of the token is wrong';
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature does not verify";
  return 'the token cannot be verified';
}
