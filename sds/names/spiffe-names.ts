import { parseSpiffeId, pathOf, trustDomainOf } from '../../ca/identity/spiffe-id.ts';
import { certificateSecret, type EncodedSecret, federationSecret } from '../secret/secret.ts';
import type { Lookup, SecretSource } from '../secret/store.ts';
import type { WorkloadIdentity } from '../workload-api/identity.ts';

/** SPIRE's name for the roots of the own and of all federated trust domains. */
const ALL_ROOTS = 'ALL';

/** A name that is no workload's trust domain: nobody is certified for it. */
const NOBODY = 'nobody.invalid';

/**
 * The names that SPIRE's agent serves: the workload's own SPIFFE ID for its certificate, `spiffe://TRUST-DOMAIN` for that
 * domain's roots, `ALL` for the roots of all domains.
 */
export function spiffeNames(identity: WorkloadIdentity): SecretSource {
  // A domain that was trusted once, and is not any more: Envoy would keep its roots if the secret just vanished.
  const seen = new Set<string>();
  const noteFederated = () => {
    for (const domain of identity.federated().keys()) seen.add(domain);
  };
  return {
    lookup(name) {
      noteFederated();
      if (name === ALL_ROOTS) return roots(identity, name);
      if (!name.startsWith('spiffe://')) return undefined;
      const id = parseSpiffeId(name);
      if (!id.ok) return { kind: 'absent' };
      if (id.value === identity.id) {
        const svid = identity.svid();
        return svid === undefined ? { kind: 'pending' } : present(certificateSecret(svid, name));
      }
      if (pathOf(id.value) !== '') return { kind: 'absent' };
      return domainRoots(identity, name, trustDomainOf(id.value), seen);
    },
    onChange: (listener) => identity.onChange(listener),
  };
}

const present = (secret: EncodedSecret): Lookup => ({ kind: 'present', secret });

function roots(identity: WorkloadIdentity, name: string): Lookup {
  const own = identity.bundle();
  if (own === undefined) return { kind: 'pending' };
  return present(federationSecret(name, new Map([[identity.trustDomain, own], ...identity.federated()])));
}

function domainRoots(identity: WorkloadIdentity, name: string, domain: string, seen: ReadonlySet<string>): Lookup {
  const own = identity.bundle();
  if (own === undefined) return { kind: 'pending' };
  if (domain === identity.trustDomain) return present(federationSecret(name, new Map([[domain, own]])));
  const [, bundle] = [...identity.federated()].find(([federated]) => federated === domain) ?? [];
  if (bundle !== undefined) return present(federationSecret(name, new Map([[domain, bundle]])));
  // Roots that no peer of that domain can meet: the validator refuses domains that it has no roots for.
  return seen.has(domain) ? present(federationSecret(name, new Map([[NOBODY, own]]))) : { kind: 'absent' };
}
