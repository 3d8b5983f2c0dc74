import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { trustDomainOf, workloadOf } from '../identity/spiffe-id.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { Revoked } from '../revocation/revocations.ts';
import { type Outcome, refuse } from '../refusal.ts';
import type { AuthenticatedCall, PeerOf } from '../tls/peer.ts';
import { authenticate, type Caller } from './caller.ts';
import type { VerifyToken } from './token.ts';

/** What a call brings to say who makes it. */
export interface CallEvidence {
  /** The values of the metadata key `authorization`. */
  readonly authorization: readonly string[];
  /** The call, for its TLS peer certificate; absent where there is no TLS. */
  readonly call?: AuthenticatedCall | undefined;
}

export type AuthenticateCall = (evidence: CallEvidence) => Promise<Outcome<Caller>>;

export interface CallRules {
  readonly trustDomain: TrustDomain;
  readonly verifyToken: VerifyToken;
  readonly peerOf: PeerOf;
  readonly revoked: Revoked;
  /** Milliseconds until a caller may come again; 0 is now. */
  readonly limit?: ((caller: string) => number) | undefined;
  /**
   * Whether evidence that counts once is taken. Only for those who `claim` it before they give anything for it.
   * Off unless asked for: whoever forgets it refuses, and gives nothing twice.
   */
  readonly claims?: boolean;
}

/** Who makes a call: one answer for everything that the authority issues. */
export function callAuthentication(rules: CallRules): AuthenticateCall {
  return async ({ authorization, call }) => {
    const certificate = () => callerByCertificate(rules, call);
    const caller = await authenticate(authorization, { certificate, token: rules.verifyToken });
    if (!caller.ok) return caller;
    const cut = rules.revoked(caller.value.id);
    if (cut !== undefined) return refuse('forbidden', cut);
    if (caller.value.claim !== undefined && rules.claims !== true)
      return refuse('unauthenticated', 'a join token is good for a certificate only');
    const wait = rules.limit?.(caller.value.id) ?? 0;
    if (wait === 0) return caller;
    return { ok: false, refusal: { code: 'exhausted', reason: `${caller.value.id} asks too often`, retryAfterMs: wait } };
  };
}

/** A caller that presents a certificate of ours: a workload of our trust domain, nothing else that we issued. */
function callerByCertificate({ peerOf, trustDomain }: CallRules, call: AuthenticatedCall | undefined): Parsed<Caller> {
  if (call === undefined) return refused('no client certificate was presented');
  const id = peerOf(call);
  if (!id.ok) return id;
  if (trustDomainOf(id.value) !== trustDomain) return refused('the client certificate is of another trust domain');
  if (workloadOf(id.value) === undefined) return refused("the client certificate is not a workload's");
  const serial = call.getAuthContext().sslPeerCertificate?.serialNumber?.toLowerCase();
  return parsed({ id: id.value, evidence: { kind: 'certificate', subject: id.value, ...(serial !== undefined && { serial }) } });
}
