import type { Caller } from './authenticate/caller.ts';
import type { Impersonate } from './authenticate/node-proxies.ts';
import type { VerifiedRequest } from './csr/verify.ts';
import type { MayHaveName } from './dns/rules.ts';
import type { SpiffeId } from './identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from './refusal.ts';

/** What a caller asks for beside its certificate request. */
export interface Wish {
  readonly request: VerifiedRequest;
  /** A node proxy names the workload that it asks for. */
  readonly impersonate?: string | undefined;
}

/** Who may have more than its own SPIFFE ID. */
export interface Grants {
  readonly impersonation: Impersonate;
  readonly mayHaveName: MayHaveName;
}

/**
 * The identity to certify: the caller's own, or for a node proxy that of a pod beside it, and no other. A request that names none gets
 * the one that is granted, as Istio's agents expect. Of DNS names all are granted, or the request is refused: who asks for one and does not
 * get it should hear so, and not its peers.
 */
export function authorize(
  caller: Caller,
  { request, impersonate }: Wish,
  { impersonation, mayHaveName }: Grants,
): Outcome<SpiffeId> {
  const granted = impersonate === undefined ? outcome(caller.id) : impersonation(caller, impersonate);
  if (!granted.ok) return granted;
  const id = granted.value;
  if (request.spiffeId !== undefined && request.spiffeId !== id)
    return refuse('forbidden', `${caller.id} may not have a certificate for ${request.spiffeId}`);
  const name = request.dnsNames.find((asked) => !mayHaveName(id, asked));
  return name === undefined ? granted : refuse('forbidden', `${id} may not have the DNS name ${name}; see --allow-dns-san`);
}
