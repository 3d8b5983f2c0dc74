import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { MeshConfig } from './mesh-config.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Adds the trust domains that are federated with to snapshots. The same snapshot gives the same result, and the same settings stay the
 * same object, so that what was compiled from them is known again.
 */
export function federatedWith(domains: readonly TrustDomain[]): (snapshot: Snapshot) => Snapshot {
  if (domains.length === 0) return (snapshot) => snapshot;
  const federatedTrustDomains = Object.freeze([...domains].sort());
  const snapshots = new WeakMap<Snapshot, Snapshot>();
  const configs = new WeakMap<MeshConfig, MeshConfig>();
  return (snapshot) => {
    const known = snapshots.get(snapshot);
    if (known !== undefined) return known;
    const meshConfig = configs.get(snapshot.meshConfig) ?? Object.freeze({ ...snapshot.meshConfig, federatedTrustDomains });
    configs.set(snapshot.meshConfig, meshConfig);
    const made = Object.freeze({ ...snapshot, meshConfig });
    snapshots.set(snapshot, made);
    return made;
  };
}
