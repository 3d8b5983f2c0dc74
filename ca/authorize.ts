import type { Caller } from './authenticate/caller.ts';
import type { VerifiedRequest } from './csr/verify.ts';
import type { SpiffeId } from './identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from './refusal.ts';

/**
 * The identity to certify: the caller's own, and no other. A request that names none gets the caller's own, as Istio's
 * agents expect.
 */
export function authorize(caller: Caller, request: VerifiedRequest): Outcome<SpiffeId> {
  if (request.spiffeId === undefined || request.spiffeId === caller.id) return outcome(caller.id);
  return refuse('forbidden', `${caller.id} may not have a certificate for ${request.spiffeId}`);
}
