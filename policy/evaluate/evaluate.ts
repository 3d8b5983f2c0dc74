import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { MtlsSetting } from '../peer-authentication/mode.ts';
import type { SelectedWorkload } from '../select.ts';
import type { Facts } from './facts.ts';
import { nearestMiss } from './nearest.ts';
import type { Candidate, Stages } from './prepared.ts';
import type { Request } from './request.ts';
import { type Walk, type Walker, walker } from './walk.ts';

/** The answer to one question without the words. `policy` is `namespace/name`; both are undefined when no single rule decided. */
export interface Decision {
  readonly decision: 'ALLOW' | 'DENY';
  readonly policy: string | undefined;
  /** Counts from 0, in the order written. */
  readonly rule: number | undefined;
}

/** The answer to one question and why. */
export interface Verdict extends Decision {
  readonly reason: string;
}

/** Answers questions about one workload. */
export interface Evaluator {
  /** For callers that ask very often. */
  decide(request: Request): Decision;
  evaluate(request: Request): Verdict;
}

function by(decision: 'ALLOW' | 'DENY', { policy, rule }: Candidate): Decision {
  return { decision, policy: keyOf(policy.meta), rule: rule.index };
}

const ALLOWED: Decision = Object.freeze({ decision: 'ALLOW', policy: undefined, rule: undefined });
const DENIED: Decision = Object.freeze({ decision: 'DENY', policy: undefined, rule: undefined });

function decisionOf({ setting, outcome }: Walk): Decision {
  switch (outcome.kind) {
    case 'plain-text':
      return { ...DENIED, policy: setting.setBy };
    case 'token':
      return { ...DENIED, policy: outcome.step.by };
    case 'doubtful-peer':
    case 'not-allowed':
      return DENIED;
    case 'custom':
      return { decision: 'DENY', policy: keyOf(outcome.step.by.policy.meta), rule: outcome.step.by.rule };
    case 'denied':
      return by('DENY', outcome.by);
    case 'nothing-asked':
      return ALLOWED;
    case 'allowed':
      return by('ALLOW', outcome.by);
    default:
      return outcome satisfies never;
  }
}

function setBy({ setBy: policy }: MtlsSetting): string {
  return policy === undefined ? 'the default' : `PeerAuthentication ${policy}`;
}

/** Why no ALLOW policy let the request in: those that applied, and the condition by which the nearest rule failed. */
/** Policies named in a reason: one may be held against hundreds. */
const MOST_NAMED = 4;

function notAllowed(stages: Stages, facts: Facts | undefined): string {
  const { ALLOW } = stages.enforced;
  const names = ALLOW.policies.slice(0, MOST_NAMED).map(({ policy }) => keyOf(policy.meta));
  const rest = ALLOW.policies.length - names.length;
  const named = rest === 0 ? names.join(', ') : `${names.join(', ')} and ${rest} more`;
  const miss = facts === undefined ? undefined : nearestMiss(ALLOW, facts);
  const nearest =
    miss === undefined
      ? 'none of them has a rule'
      : `nearest is ${keyOf(miss.policy.meta)} rule ${miss.rule}: ${miss.finding.failed?.why ?? ''}`;
  return `ALLOW policies apply (${named}) and no rule of theirs matches; ${nearest}`;
}

function reasonOf(stages: Stages, { setting, facts, outcome }: Walk): string {
  const named = ({ policy, rule }: Candidate): string => `${keyOf(policy.meta)} rule ${rule.index}`;
  switch (outcome.kind) {
    case 'plain-text':
      return `the call is in plain text and ${setBy(setting)} asks for mutual TLS (STRICT)`;
    case 'token':
    case 'custom':
      return outcome.step.why;
    case 'doubtful-peer':
      return "the peer's certificate does not hold exactly one SPIFFE ID";
    case 'denied':
      return `a DENY rule matches: ${named(outcome.by)}`;
    case 'nothing-asked':
      return 'no ALLOW policy applies, so what is not denied is allowed';
    case 'allowed':
      return `an ALLOW rule matches: ${named(outcome.by)}`;
    case 'not-allowed':
      return notAllowed(stages, facts);
    default:
      return outcome satisfies never;
  }
}

/** A walk in one sentence, and what it decides. */
export function verdictOf(stages: Stages, walk: Walk, request: Request): Verdict {
  const unasked = walk.token?.kind === 'passed' ? walk.token.unasked : undefined;
  const reason = `${reasonOf(stages, walk)}${unasked === undefined ? '' : ` (${unasked})`}`;
  const decision = decisionOf(walk);
  if (walk.encrypted || request.source.principal === undefined) return { ...decision, reason };
  return { ...decision, reason: `${reason} (${setBy(walk.setting)} turns mutual TLS off, so the caller is not authenticated)` };
}

/** Readies all that does not depend on the request. Destinations of the requests are taken to be this workload. */
export function prepare(snapshot: Snapshot, workload: SelectedWorkload): Evaluator {
  const { stages, walk } = walkerFor(snapshot, workload);
  return {
    decide: (request) => decisionOf(walk(request)),
    evaluate: (request) => verdictOf(stages, walk(request), request),
  };
}

const MOST_KEPT = 10_000;
const kept = new WeakMap<Snapshot, Map<string, Walker>>();

/** One for each workload of a snapshot, kept as long as the snapshot. */
export function walkerFor(snapshot: Snapshot, workload: SelectedWorkload): Walker {
  const known = kept.get(snapshot) ?? new Map<string, Walker>();
  kept.set(snapshot, known);
  const key = JSON.stringify([workload.namespace, workload.labels]);
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= MOST_KEPT) known.clear();
  const made = walker(snapshot, { namespace: workload.namespace, labels: workload.labels });
  known.set(key, made);
  return made;
}

/**
 * Decides one request as the mesh would, PeerAuthentication first: this is the second, independent reading of the same
 * policies that policy/compile turns into Envoy's configuration; a test holds the two together. A caller with an
 * identity talks in plain text to a port whose mode is DISABLE, and so is nobody there.
 */
export function evaluate(snapshot: Snapshot, request: Request): Verdict {
  return prepare(snapshot, request.destination).evaluate(request);
}
