import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import { STAGES } from '../../mesh/model/namespace-rollout.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { appliesTo } from '../select.ts';
import { type RuleManifest, ruleManifest } from '../suggest/manifests.ts';
import type { SuggestedPolicy, SuggestedRule } from '../suggest/suggestion.ts';
import { selectorOf } from './selector.ts';

export const ROLLOUT_LABEL = 'gatehouse.dev/rollout';
export const DRY_RUN_ANNOTATION = 'istio.io/dry-run';

/** An ordinary Istio object as it is written, without anything that a server adds. */
export interface RolloutObject {
  readonly apiVersion: string;
  readonly kind: 'PeerAuthentication' | 'AuthorizationPolicy';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What a stage's objects are made of. */
export interface StageOf {
  readonly stage: Stage;
  readonly rollout: Pick<NamespaceRollout, 'meta'>;
  readonly suggestion: readonly SuggestedPolicy[];
  /** Of the namespace. */
  readonly workloads: readonly Workload[];
  /** Workloads that are behind, by name. */
  readonly held: Readonly<Record<string, Stage>>;
  readonly gateways: ReadonlySet<string>;
  readonly rootNamespace: string;
  /** Policies of others that concern the namespace. */
  readonly policies: readonly AuthorizationPolicy[];
}

export const isBefore = (one: Stage, other: Stage): boolean => STAGES.indexOf(one) < STAGES.indexOf(other);

export const objectName = ({ kind, metadata }: RolloutObject): string => `${kind} ${metadata.namespace}/${metadata.name}`;

/** Whether a policy is one that the rollout wrote. */
export function isOwn(policy: Pick<AuthorizationPolicy, 'meta'>, { meta }: Pick<NamespaceRollout, 'meta'>): boolean {
  return policy.meta.namespace === meta.namespace && policy.meta.labels[ROLLOUT_LABEL] === meta.name;
}

/**
 * All objects of a stage, in order of their names. Each is complete in itself: whichever of them are there, no caller is refused that
 * would not be refused once all are, but for the one that closes the namespace, `rollout-allow-nothing`, which comes last and is the
 * first to go.
 */
export function objectsOf(of: StageOf): readonly RolloutObject[] {
  const { stage, workloads, held } = of;
  const stageOf = (name: string): Stage => {
    const at = held[name];
    return at !== undefined && isBefore(at, stage) ? at : stage;
  };
  const sorted = [...workloads].sort((one, other) => (one.name < other.name ? -1 : 1));
  return [...peerAuthentications(of, sorted, stageOf), ...authorizationPolicies(of, sorted, stageOf)];
}

type StageOfWorkload = (name: string) => Stage;

function metadata({ rollout: { meta } }: StageOf, name: string, dryRun = false): RolloutObject['metadata'] {
  return {
    name,
    namespace: meta.namespace,
    labels: { [ROLLOUT_LABEL]: meta.name },
    ...(dryRun ? { annotations: { [DRY_RUN_ANNOTATION]: 'true' } } : {}),
  };
}

function peerAuthentications(of: StageOf, workloads: readonly Workload[], stageOf: StageOfWorkload): readonly RolloutObject[] {
  if (of.stage === 'observe') return [];
  const made = (name: string, spec: RolloutObject['spec']): RolloutObject => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: metadata(of, name),
    spec,
  });
  const excepted = workloads.flatMap((workload) => {
    const selector = stageOf(workload.name) === 'observe' ? selectorOf(workload, workloads) : undefined;
    if (selector === undefined) return [];
    return [made(`rollout-permissive-${workload.name}`, { selector: { matchLabels: selector }, mtls: { mode: 'PERMISSIVE' } })];
  });
  return [...excepted, made('rollout-strict', { mtls: { mode: 'STRICT' } })];
}

function authorizationPolicies(of: StageOf, workloads: readonly Workload[], stageOf: StageOfWorkload): readonly RolloutObject[] {
  const { stage, suggestion, gateways } = of;
  if (isBefore(stage, 'dry-run')) return [];
  const made = (name: string, dryRun: boolean, spec: RolloutObject['spec']): RolloutObject => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: metadata(of, name, dryRun),
    spec,
  });
  const suggested = new Map(suggestion.map((policy) => [policy.workload, policy]));
  const own = workloads.flatMap((workload): readonly RolloutObject[] => {
    const labels = selectorOf(workload, workloads);
    if (labels === undefined) return [];
    const selector = { matchLabels: labels };
    const opening = { selector, action: 'ALLOW', rules: [{}] };
    const mayOpen = !hasAllowPolicy(of, workload);
    // Who calls a gateway is not of the mesh.
    if (gateways.has(workload.name)) return mayOpen ? [made(policyName(workload), stage !== 'enforce', opening)] : [];
    const at = stageOf(workload.name);
    const policy = suggested.get(`${workload.namespace}/${workload.name}`);
    const rules = policy?.rules.flatMap(ruleOf) ?? [];
    const closed = { selector, action: 'ALLOW', ...(rules.length === 0 ? {} : { rules }) };
    return [
      // One of which nothing is known is left to `rollout-allow-nothing`.
      ...(policy === undefined || isBefore(at, 'dry-run') ? [] : [made(policyName(workload), at === 'dry-run', closed)]),
      // The namespace is closed by one policy for all: whom it must not close yet needs one that lets all through.
      ...(stage === 'enforce' && at !== 'enforce' && mayOpen ? [made(`rollout-open-${workload.name}`, false, opening)] : []),
    ];
  });
  // Last: so that nobody is closed out before the policy that lets them in is there.
  return [...own, made('rollout-allow-nothing', stage !== 'enforce', {})];
}

function policyName({ name }: Workload): string {
  return name === 'allow-nothing' || name.startsWith('open-') ? `rollout-workload-${name}` : `rollout-${name}`;
}

/** Whether policies of others already say who may call it: it must not be opened beyond them. */
function hasAllowPolicy({ policies, rollout, rootNamespace }: StageOf, workload: Workload): boolean {
  return policies.some(
    (policy) =>
      policy.action === 'ALLOW' && !policy.dryRun && !isOwn(policy, rollout) && appliesTo(rootNamespace, policy, workload),
  );
}

/** A rule that would let in whoever comes is left out: nothing is opened by mistake. */
function ruleOf(rule: SuggestedRule): readonly RuleManifest[] {
  return rule.principals.length === 0 && rule.ipBlocks.length === 0 ? [] : [ruleManifest([rule])];
}
