import type { AuthorizationPolicy } from '../mesh/model/authorization-policy.ts';
import { type Labels, selects } from '../mesh/model/object.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import { GATEWAY_NAME_LABEL, type TargetRef } from '../mesh/model/target-ref.ts';
import { candidates, ofNamespace, sharedPolicies } from './select-index.ts';

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

type Selected = WeakMap<Labels, readonly AuthorizationPolicy[]>;

/** By the policies of the root namespace, those of the workload's own, and its labels. */
const selected = new WeakMap<readonly AuthorizationPolicy[], WeakMap<readonly AuthorizationPolicy[], Selected>>();

/**
 * The AuthorizationPolicies that apply to a workload: those of the root namespace first, then its own, each in the snapshot's order.
 * The same array as long as the same policies apply, under other snapshots and for other workloads too.
 */
export function policiesFor(snapshot: Snapshot, workload: SelectedWorkload): readonly AuthorizationPolicy[] {
  const { rootNamespace } = snapshot.meshConfig;
  const { namespace, labels } = workload;
  const root = ofNamespace(snapshot.authorizationPolicies, rootNamespace);
  const own = namespace === rootNamespace ? IN_ROOT : ofNamespace(snapshot.authorizationPolicies, namespace);
  const underRoot = selected.get(root) ?? new WeakMap<readonly AuthorizationPolicy[], Selected>();
  selected.set(root, underRoot);
  const underOwn: Selected = underRoot.get(own) ?? new WeakMap();
  underRoot.set(own, underOwn);
  const known = underOwn.get(labels);
  if (known !== undefined) return known;
  const applying = [...candidates(root, labels), ...candidates(own, labels)].filter((policy) =>
    appliesTo(rootNamespace, policy, workload),
  );
  const found = sharedPolicies(applying);
  underOwn.set(labels, found);
  return found;
}

/** Not the same as a namespace without policies: what targets a gateway in the root namespace applies there only. */
const IN_ROOT: readonly AuthorizationPolicy[] = Object.freeze([]);
