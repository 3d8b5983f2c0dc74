import type { AuthorizationPolicy, PolicyAction } from '../../mesh/model/authorization-policy.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { EffectiveMtlsMode } from '../peer-authentication/mode.ts';
import { type Decision, type Verdict, verdictOf, walkerFor } from './evaluate.ts';
import type { Facts } from './facts.ts';
import { nearestMiss } from './nearest.ts';
import { type Candidate, type PreparedPolicy, type Stage, type Stages, firstMatch } from './prepared.ts';
import type { Request } from './request.ts';
import type { RuleFinding } from './rule.ts';
import type { Outcome, Walk } from './walk.ts';

/** A condition that does not hold. */
export interface FailedCondition {
  /** Where it stands in the rule: of several sources or operations, in the one that came nearest. */
  readonly at: string;
  readonly field: string;
  readonly why: string;
}

export interface RuleStep {
  /** Counts from 0, in the order written. */
  readonly rule: number;
  /** `unknown` counts as yes where the rule denies and as no where it allows: {@link RuleStep.counts}. */
  readonly matched: 'yes' | 'no' | 'unknown';
  readonly counts: boolean;
  /** How many conditions the request meets, of how many. */
  readonly met: number;
  readonly conditions: number;
  readonly failed: FailedCondition | undefined;
}

export interface PolicyStep {
  /** `namespace/name`. */
  readonly policy: string;
  readonly action: PolicyAction;
  readonly provider: string | undefined;
  /** It is noted what it would do; it decides nothing. */
  readonly dryRun: boolean;
  /** False when something before it had decided already. */
  readonly reached: boolean;
  /** One of its rules decided. */
  readonly decided: boolean;
  readonly rules: readonly RuleStep[];
}

export interface MtlsStep {
  readonly mode: EffectiveMtlsMode;
  /** `namespace/name` of the PeerAuthentication; undefined: the default. */
  readonly setBy: string | undefined;
  readonly passed: boolean;
  /** Who calls, as the proxy knows it; undefined: nobody that it could tell. */
  readonly peer: string | undefined;
}

/** What dry runs would have decided among themselves, as Envoy's shadow rules; undefined where there are none of that kind. */
export interface Shadow {
  readonly deny: Decision | undefined;
  readonly allow: Decision | undefined;
}

export interface Explanation {
  readonly verdict: Verdict;
  readonly mtls: MtlsStep;
  /** What became of the request's tokens; undefined where they do not matter. */
  readonly token: { readonly passed: boolean; readonly by: string | undefined; readonly why: string } | undefined;
  /** What external authorizers say; undefined where none is asked. */
  readonly custom: { readonly passed: boolean; readonly why: string } | undefined;
  /** All that apply, in the order in which they are considered: CUSTOM, AUDIT, DENY, ALLOW; after each the dry runs of its kind. */
  readonly policies: readonly PolicyStep[];
  /** For a request that no ALLOW rule matches: the one that came nearest. */
  readonly nearest: { readonly policy: string; readonly rule: number; readonly failed: FailedCondition | undefined } | undefined;
  readonly shadow: Shadow;
}

const ORDER: readonly PolicyAction[] = Object.freeze(['CUSTOM', 'AUDIT', 'DENY', 'ALLOW']);

function ruleStep(rule: number, { truth, matches, met, of, failed }: RuleFinding): RuleStep {
  const matched = truth === 'unknown' ? truth : truth ? 'yes' : 'no';
  return { rule, matched, counts: matches, met, conditions: of, failed };
}

/** The last kind of policy that is still considered when this is the outcome; undefined: none is. */
function lastReached(outcome: Outcome): PolicyAction | undefined {
  switch (outcome.kind) {
    case 'plain-text':
    case 'doubtful-peer':
      return undefined;
    case 'custom':
      return outcome.late ? 'DENY' : 'CUSTOM';
    case 'token':
      return 'CUSTOM';
    case 'denied':
      return 'DENY';
    case 'nothing-asked':
    case 'allowed':
    case 'not-allowed':
      return 'ALLOW';
    default:
      return outcome satisfies never;
  }
}

function decidedBy(outcome: Outcome): AuthorizationPolicy | undefined {
  if (outcome.kind === 'allowed' || outcome.kind === 'denied') return outcome.by.policy;
  return outcome.kind === 'custom' ? outcome.step.by.policy : undefined;
}

function policySteps(stages: Stages, { outcome }: Walk, facts: Facts): readonly PolicyStep[] {
  const last = lastReached(outcome);
  const reached = last === undefined ? [] : ORDER.slice(0, ORDER.indexOf(last) + 1);
  const step = ({ policy, rules }: PreparedPolicy): PolicyStep => ({
    policy: keyOf(policy.meta),
    action: policy.action,
    provider: policy.provider,
    dryRun: policy.dryRun,
    reached: reached.includes(policy.action),
    decided: policy === decidedBy(outcome),
    rules: rules.map((rule) => ruleStep(rule.index, rule.find(facts))),
  });
  return ORDER.flatMap((action) => [...stages.enforced[action].policies, ...stages.dryRun[action].policies].map(step));
}

function shadowed({ policies }: Stage, matched: Candidate | undefined, yes: 'ALLOW' | 'DENY'): Decision | undefined {
  if (policies.length === 0) return undefined;
  if (matched !== undefined) return { decision: yes, policy: keyOf(matched.policy.meta), rule: matched.rule.index };
  return { decision: yes === 'ALLOW' ? 'DENY' : 'ALLOW', policy: undefined, rule: undefined };
}

function shadowOf({ dryRun }: Stages, facts: Facts): Shadow {
  return {
    deny: shadowed(dryRun.DENY, firstMatch(dryRun.DENY, facts), 'DENY'),
    allow: shadowed(dryRun.ALLOW, firstMatch(dryRun.ALLOW, facts), 'ALLOW'),
  };
}

function nearestOf({ enforced }: Stages, facts: Facts): Explanation['nearest'] {
  const miss = nearestMiss(enforced.ALLOW, facts);
  return miss && { policy: keyOf(miss.policy.meta), rule: miss.rule, failed: miss.finding.failed };
}

/** Why a request is decided as it is: every step of the walk that `evaluate` takes too. */
export function explain(snapshot: Snapshot, request: Request): Explanation {
  const { stages, walk, factsFor } = walkerFor(snapshot, request.destination);
  const taken = walk(request);
  const { setting, token, custom, outcome } = taken;
  // Policies that are not reached are explained too, for the request as it came.
  const facts = taken.facts ?? factsFor(request);
  return {
    verdict: verdictOf(stages, taken, request),
    mtls: {
      mode: setting.mode,
      setBy: setting.setBy,
      passed: outcome.kind !== 'plain-text',
      peer: facts.peer === undefined ? undefined : `spiffe://${facts.peer}`,
    },
    token: token && { passed: token.kind === 'passed', by: token.kind === 'refused' ? token.by : undefined, why: token.why },
    custom: custom && { passed: custom.kind === 'passed', why: custom.why },
    policies: policySteps(stages, taken, facts),
    nearest: outcome.kind === 'not-allowed' ? nearestOf(stages, facts) : undefined,
    shadow: shadowOf(stages, facts),
  };
}
