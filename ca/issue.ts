import { type CallRules, callAuthentication } from './authenticate/call.ts';
import type { Caller } from './authenticate/caller.ts';
import { type Impersonate, noImpersonation } from './authenticate/node-proxies.ts';
import type { VerifyToken } from './authenticate/token.ts';
import { authorize } from './authorize.ts';
import type { Certified, Certify } from './certify.ts';
import { verifyRequest } from './csr/verify.ts';
import { type MayHaveName, noDnsNames } from './dns/rules.ts';
import type { SpiffeId } from './identity/spiffe-id.ts';
import type { TrustDomain } from './identity/trust-domain.ts';
import type { IssuanceLog } from './log/file.ts';
import type { RefusalBudget } from './log/refusals.ts';
import { outcome, type Outcome, type Refusal, refuse } from './refusal.ts';
import type { Revoked } from './revocation/revocations.ts';
import type { AuthenticatedCall, PeerOf } from './tls/peer.ts';

export interface IssueRequest {
  /** PKCS#10, PEM or DER. */
  readonly csr: string | Uint8Array;
  /** Asked for; 0 asks for the default. */
  readonly ttlSeconds: number;
  /** The values of the metadata key `authorization`. */
  readonly authorization: readonly string[];
  /** The call, for its TLS peer certificate; absent where there is no TLS. */
  readonly call?: AuthenticatedCall;
  /** The workload that a node proxy asks for. */
  readonly impersonate?: string;
}

export interface Issued extends Certified {
  readonly spiffeId: SpiffeId;
}

export interface IssueOptions {
  readonly trustDomain: TrustDomain;
  readonly verifyToken: VerifyToken;
  readonly peerOf: PeerOf;
  readonly revoked: Revoked;
  readonly certify: Certify;
  readonly issuanceLog: IssuanceLog;
  readonly refusals: RefusalBudget;
  readonly clock: () => Date;
  readonly impersonate?: Impersonate | undefined;
  readonly mayHaveName?: MayHaveName | undefined;
  readonly limit?: CallRules['limit'];
}

export type Issue = (request: IssueRequest) => Promise<Outcome<Issued>>;

/** Everything between a certificate request and the certificate, in order. Never rejects for what a caller sent. */
export function issuance(options: IssueOptions): Issue {
  const authenticateCall = callAuthentication({ ...options, claims: true });
  const { impersonate: impersonation = noImpersonation, mayHaveName = noDnsNames } = options;
  return async (request) => {
    const caller = await authenticateCall(request);
    if (!caller.ok) return refusedTo(options, undefined, caller.refusal);
    const verified = verifyRequest(request.csr);
    if (!verified.ok) return refusedTo(options, caller.value, verified.refusal);
    const granted = authorize(
      caller.value,
      { request: verified.value, impersonate: request.impersonate },
      { impersonation, mayHaveName },
    );
    if (!granted.ok) return refusedTo(options, caller.value, granted.refusal);
    const revoked = options.revoked(granted.value);
    if (revoked !== undefined) return refusedTo(options, caller.value, refuse('forbidden', revoked).refusal);
    const claimed = await caller.value.claim?.();
    if (claimed?.ok === false) {
      const code = 'unavailable' in claimed ? 'unavailable' : 'unauthenticated';
      return refusedTo(options, caller.value, refuse(code, claimed.reason).refusal);
    }
    // Logs the intent, signs, checks its own output, logs the result.
    const certified = await options.certify({
      names: { kind: 'workload', spiffeId: granted.value, dnsNames: verified.value.dnsNames },
      key: verified.value.key,
      ttlSeconds: request.ttlSeconds,
      evidence: caller.value.evidence,
    });
    if (!certified.ok) return refusedTo(options, caller.value, certified.refusal);
    // Revoked while the log was written: such a certificate may have been missed by the revocation's own search of the log.
    const meanwhile = options.revoked(granted.value);
    if (meanwhile !== undefined) return refusedTo(options, caller.value, refuse('forbidden', meanwhile).refusal);
    return outcome({ ...certified.value, spiffeId: granted.value });
  };
}

function refusedTo(
  options: IssueOptions,
  caller: Caller | undefined,
  refusal: Refusal,
): { readonly ok: false; readonly refusal: Refusal } {
  const unlogged = options.refusals.take();
  if (unlogged !== undefined) {
    options.issuanceLog.note({
      kind: 'refused',
      time: options.clock().toISOString(),
      code: refusal.code,
      reason: refusal.reason,
      ...(caller && { evidence: caller.evidence }),
      ...(unlogged > 0 && { unlogged }),
    });
  }
  return { ok: false, refusal };
}
