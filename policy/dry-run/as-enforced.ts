import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';

const enforced = keptBy((policy: AuthorizationPolicy): AuthorizationPolicy => Object.freeze({ ...policy, dryRun: false }));

const allEnforced = keptBy((policies: readonly AuthorizationPolicy[]): readonly AuthorizationPolicy[] =>
  Object.freeze(policies.map((policy) => (policy.dryRun ? enforced(policy) : policy))),
);

const snapshotEnforced = keptBy((snapshot: Snapshot): Snapshot => {
  const { authorizationPolicies } = snapshot;
  if (!authorizationPolicies.some(({ dryRun }) => dryRun)) return snapshot;
  return Object.freeze({ ...snapshot, authorizationPolicies: allEnforced(authorizationPolicies) });
});

/** The mesh as it would be with the annotation `istio.io/dry-run` taken away from all policies. The same for the same snapshot. */
export function asEnforced(snapshot: Snapshot): Snapshot {
  return snapshotEnforced(snapshot);
}
