import type { AuthorizationPolicy } from '../mesh/model/authorization-policy.ts';
import { type Labels, selects } from '../mesh/model/object.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import { GATEWAY_NAME_LABEL, type TargetRef } from '../mesh/model/target-ref.ts';

/** What selectors look at. A model Workload is one; so is a workload that exists only in a question. */
export interface SelectedWorkload {
  readonly namespace: string;
  readonly labels: Labels;
}

/** Where a policy object says that it applies. */
export interface Attached {
  readonly meta: { readonly namespace: string };
  readonly selector: Labels;
  readonly targetRefs: readonly TargetRef[];
}

/**
 * True when a policy object applies: to its own namespace's workloads, or every namespace's for the root namespace, that its
 * selector selects. One with targets applies to the gateways of the Gateway API that stand for them, in its own namespace
 * only, and to nothing else.
 */
export function appliesTo(rootNamespace: string, policy: Attached, workload: SelectedWorkload): boolean {
  const { namespace } = policy.meta;
  if (policy.targetRefs.length > 0) {
    const gateway = workload.labels[GATEWAY_NAME_LABEL];
    return (
      gateway !== undefined &&
      namespace === workload.namespace &&
      policy.targetRefs.some(({ kind, name }) => kind === 'Gateway' && name === gateway)
    );
  }
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
