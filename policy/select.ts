import type { AuthorizationPolicy } from '../mesh/model/authorization-policy.ts';
import { type Labels, selects } from '../mesh/model/object.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';

/** What selectors look at. A model Workload is one; so is a workload that exists only in a question. */
export interface SelectedWorkload {
  readonly namespace: string;
  readonly labels: Labels;
}

/** True when a policy object of namespace `namespace` with this selector applies: its own namespace's workloads, or every namespace's for the root namespace. */
export function appliesTo(
  rootNamespace: string,
  policy: { readonly meta: { readonly namespace: string }; readonly selector: Labels },
  workload: SelectedWorkload,
): boolean {
  const { namespace } = policy.meta;
  return (namespace === rootNamespace || namespace === workload.namespace) && selects(policy.selector, workload.labels);
}

/** The AuthorizationPolicies that apply to a workload: those of the root namespace first, then its own, each in the snapshot's order. */
export function policiesFor(snapshot: Snapshot, workload: SelectedWorkload): readonly AuthorizationPolicy[] {
  const { rootNamespace } = snapshot.meshConfig;
  const applying = snapshot.authorizationPolicies.filter((policy) => appliesTo(rootNamespace, policy, workload));
  return [
    ...applying.filter((policy) => policy.meta.namespace === rootNamespace),
    ...applying.filter((policy) => policy.meta.namespace !== rootNamespace),
  ];
}
