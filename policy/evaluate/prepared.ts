import type { AuthorizationPolicy, PolicyAction } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { type SelectedWorkload, policiesFor } from '../select.ts';
import type { Facts } from './facts.ts';
import { type PreparedRule, prepareRule } from './rule.ts';
import { StageIndex } from './stage-index.ts';

export interface PreparedPolicy {
  readonly policy: AuthorizationPolicy;
  readonly rules: readonly PreparedRule[];
}

/** One rule and the policy that it is of. */
export interface Candidate {
  readonly policy: AuthorizationPolicy;
  readonly rule: PreparedRule;
}

/** The policies of one workload with one action, enforced or all of them a dry run. */
export interface Stage {
  readonly policies: readonly PreparedPolicy[];
  /** In the byte order of the names under which Envoy knows them, which is that in which it tries them. */
  readonly candidates: readonly Candidate[];
}

/** The policies of a workload in the order in which the mesh considers them. */
export interface Stages {
  readonly enforced: Readonly<Record<PolicyAction, Stage>>;
  readonly dryRun: Readonly<Record<PolicyAction, Stage>>;
}

// A policy is prepared once for all workloads that it applies to, as long as it and the mesh's settings live.
const kept = new WeakMap<MeshConfig, WeakMap<AuthorizationPolicy, PreparedPolicy>>();

function prepared(policy: AuthorizationPolicy, meshConfig: MeshConfig): PreparedPolicy {
  const known = kept.get(meshConfig) ?? new WeakMap<AuthorizationPolicy, PreparedPolicy>();
  kept.set(meshConfig, known);
  const found = known.get(policy);
  if (found !== undefined) return found;
  const made = { policy, rules: policy.rules.map((rule, index) => prepareRule(policy, index, rule, meshConfig)) };
  known.set(policy, made);
  return made;
}

/** `ns[NAMESPACE]-policy[NAME]-rule[N]`; Kubernetes names are ASCII, so that the order of these is that of their bytes. */
function logged({ policy: { meta }, rule }: Candidate): string {
  return `ns[${meta.namespace}]-policy[${meta.name}]-rule[${rule.index}]`;
}

/** In the order in which Envoy tries them: that of their names, which may begin with the name of a provider. */
export function inOrder(
  candidates: readonly Candidate[],
  prefix: (candidate: Candidate) => string = () => '',
): readonly Candidate[] {
  const named = candidates.map((candidate) => ({ candidate, name: `${prefix(candidate)}${logged(candidate)}` }));
  named.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
  return named.map(({ candidate }) => candidate);
}

function stage(policies: readonly PreparedPolicy[]): Stage {
  return { policies, candidates: inOrder(policies.flatMap(({ policy, rules }) => rules.map((rule) => ({ policy, rule })))) };
}

function byAction(policies: readonly PreparedPolicy[]): Readonly<Record<PolicyAction, Stage>> {
  const of = (action: PolicyAction): Stage => stage(policies.filter(({ policy }) => policy.action === action));
  return { CUSTOM: of('CUSTOM'), AUDIT: of('AUDIT'), DENY: of('DENY'), ALLOW: of('ALLOW') };
}

/** Many workloads have the same policies. */
const stagesFor = keptBy((policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig): Stages => {
  const all = policies.map((policy) => prepared(policy, meshConfig));
  return {
    enforced: byAction(all.filter(({ policy }) => !policy.dryRun)),
    dryRun: byAction(all.filter(({ policy }) => policy.dryRun)),
  };
});

export function stagesOf(snapshot: Snapshot, workload: SelectedWorkload): Stages {
  return stagesFor(policiesFor(snapshot, workload), snapshot.meshConfig);
}

/** So many are asked one by one. */
const FEW = 8;

export const indexOf = keptBy((stage: Stage): StageIndex => new StageIndex(stage));

/** The first rule that matches, as Envoy's access log will name it. */
export function firstMatch(stage: Stage, facts: Facts): Candidate | undefined {
  const { candidates } = stage;
  return candidates.length <= FEW ? candidates.find(({ rule }) => rule.matches(facts)) : indexOf(stage).firstMatch(facts);
}
