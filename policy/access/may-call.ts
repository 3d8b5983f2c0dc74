import type { AuthorizationPolicy, Condition, Source } from '../../mesh/model/authorization-policy.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { isNamespace, isServiceAccount, isTrustDomain, principalTest } from '../evaluate/peer.ts';
import type { Truth } from '../evaluate/truth.ts';
import { policiesFor, type SelectedWorkload } from '../select.ts';

/** False only where the condition cannot hold. */
function canHold<T>({ values, notValues }: Condition<T>, is: (value: T) => Truth): boolean {
  return (values.length === 0 || values.some((value) => is(value) !== false)) && !notValues.some((value) => is(value) === true);
}

function canBe(from: Source, id: string, meshConfig: MeshConfig, namespace: string): boolean {
  const { principals, namespaces, serviceAccounts, trustDomains } = from;
  // Who comes to a port without TLS is nobody there.
  if ([principals, namespaces, serviceAccounts, trustDomains].every(({ values }) => values.length === 0)) return true;
  return (
    canHold(principals, (value) => principalTest([value], meshConfig)(id)) &&
    canHold(namespaces, (value) => isNamespace(value, id)) &&
    canHold(serviceAccounts, (value) => isServiceAccount(value, id, namespace)) &&
    canHold(trustDomains, (value) => isTrustDomain(value, id))
  );
}

function allows({ rules, meta }: AuthorizationPolicy, id: string, meshConfig: MeshConfig): boolean {
  return rules.some(({ from }) => from.length === 0 || from.some((source) => canBe(source, id, meshConfig, meta.namespace)));
}

const known = new WeakMap<MeshConfig, WeakMap<readonly AuthorizationPolicy[], Map<string, boolean>>>();

function allowedBy(policies: readonly AuthorizationPolicy[], id: string, meshConfig: MeshConfig): boolean {
  const underMesh = known.get(meshConfig) ?? new WeakMap<readonly AuthorizationPolicy[], Map<string, boolean>>();
  known.set(meshConfig, underMesh);
  const answers = underMesh.get(policies) ?? new Map<string, boolean>();
  underMesh.set(policies, answers);
  const before = answers.get(id);
  if (before !== undefined) return before;
  const allowing = policies.filter(({ action, dryRun }) => action === 'ALLOW' && !dryRun);
  const made = allowing.length === 0 || allowing.some((policy) => allows(policy, id, meshConfig));
  answers.set(id, made);
  return made;
}

/** {@link mayCall}, of one workload. */
export function mayCallWorkload(snapshot: Snapshot, id: string, workload: SelectedWorkload): boolean {
  return allowedBy(policiesFor(snapshot, workload), id, snapshot.meshConfig);
}

/**
 * Whether some call of this identity to a service may be allowed: there is a workload behind it without ALLOW policies, or with one that has
 * a rule for this caller, whatever else that asks for. Never false for a call that policy allows; what DENY, tokens and authorizers refuse is
 * not asked.
 * @param id the caller's SPIFFE ID without its scheme
 */
export function mayCall(snapshot: Snapshot, id: string, service: Service): boolean {
  const behind = workloadsOf(snapshot, service);
  return behind.length === 0 || behind.some((workload) => mayCallWorkload(snapshot, id, workload));
}
