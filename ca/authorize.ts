import type { Caller } from './authenticate/caller.ts';
import type { Impersonate } from './authenticate/node-proxies.ts';
import type { VerifiedRequest } from './csr/verify.ts';
import type { SpiffeId } from './identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from './refusal.ts';

/** What a caller asks for beside its certificate request. */
export interface Wish {
  readonly request: VerifiedRequest;
  /** A node proxy names the workload that it asks for. */
  readonly impersonate?: string | undefined;
}

/**
 * The identity to certify: the caller's own, or for a node proxy that of a pod beside it, and no other. A request that names none gets
 * the one that is granted, as Istio's agents expect.
 */
export function authorize(caller: Caller, { request, impersonate }: Wish, impersonation: Impersonate): Outcome<SpiffeId> {
  const granted = impersonate === undefined ? outcome(caller.id) : impersonation(caller, impersonate);
  if (!granted.ok || request.spiffeId === undefined || request.spiffeId === granted.value) return granted;
  return refuse('forbidden', `${caller.id} may not have a certificate for ${request.spiffeId}`);
}
