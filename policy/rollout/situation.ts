import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { SuggestedPolicy } from '../suggest/suggestion.ts';
import type { Evidence } from './evidence.ts';
import { isBefore, isOwn, objectsOf, type RolloutObject } from './objects.ts';
import type { RolloutState } from './state.ts';
import type { GateResult } from './status.ts';

/** What somebody orders. `by` is who: a user name, or whom the API server authenticated. */
export type RolloutOrder =
  | { readonly kind: 'advance'; readonly by: string; readonly reason: string; readonly to?: Stage; readonly force: boolean }
  | { readonly kind: 'rollback'; readonly by: string; readonly reason: string; readonly to?: Stage }
  | { readonly kind: 'pause' | 'resume' | 'renew'; readonly by: string; readonly reason: string };

/** All that a decision is made of. */
export interface Situation {
  /** Undefined: none is kept. */
  readonly state: RolloutState | undefined;
  readonly rollout: NamespaceRollout;
  readonly evidence: Evidence;
  /** What would be suggested for the namespace today. */
  readonly suggest: () => readonly SuggestedPolicy[];
  readonly now: number;
  readonly order?: RolloutOrder;
}

export type Known = Situation & { readonly state: RolloutState };

export interface Refusal {
  readonly error: string;
  readonly heldBy: readonly string[];
}

/**
 * What to do: keep `state`; where it has an intent, write its objects, set its policies to dry-run and keep what `finished` makes of it; else
 * see to it that `desired` is what is there. All of it may be done again.
 */
export interface Decision {
  readonly state: RolloutState;
  /**
   * Undefined: nothing is to be written but an intent, since objects are only proposed, or it is paused, or it is not known what they were
   * made of.
   */
  readonly desired: readonly RolloutObject[] | undefined;
  /** Why an order was not followed. */
  readonly refusal: Refusal | undefined;
  /** What somebody should look at, in words. */
  readonly alerts: readonly string[];
}

/** No step; what is there is kept as it should be. */
export function idle(known: Known, more: Partial<Decision> = {}): Decision {
  const { rollout, state } = known;
  const paused = rollout.paused || state.paused !== undefined;
  const writes = rollout.advance !== 'Propose' && !paused && !isUnknown(state);
  return { state, desired: writes ? objectsFor(known, state) : undefined, refusal: undefined, alerts: [], ...more };
}

export function refused(known: Known, error: string, heldBy: readonly string[] = []): Decision {
  return idle(known, { refusal: { error, heldBy } });
}

/** Its policies are there, and from what they were made is not known: the state was lost. */
export function isUnknown({ stage, suggestion }: RolloutState): boolean {
  return !isBefore(stage, 'dry-run') && suggestion === undefined;
}

export function objectsFor(
  { rollout, evidence: { configured } }: Pick<Situation, 'rollout' | 'evidence'>,
  { stage, suggestion, held }: Pick<RolloutState, 'stage' | 'suggestion' | 'held'>,
): readonly RolloutObject[] {
  const { workloads, gateways, authorizationPolicies, rootNamespace } = configured;
  const policies = authorizationPolicies.filter((policy) => !isOwn(policy, rollout));
  return objectsOf({ stage, rollout, suggestion: suggestion ?? [], workloads, held, gateways, rootNamespace, policies });
}

/** What is in the way of the next step, in words. */
export function heldBy({ rollout, state }: Pick<Known, 'rollout' | 'state'>, gates: readonly GateResult[]): readonly string[] {
  const { paused } = state;
  return [
    ...(rollout.paused ? ['paused: the NamespaceRollout says so (spec.paused)'] : []),
    ...(paused === undefined ? [] : [`paused by ${paused.by}: ${paused.reason === '' ? 'without a reason' : paused.reason}`]),
    ...gates.filter(({ met }) => !met).map(gateText),
  ];
}

function gateText({ gate, wanted, found, details, omittedDetails }: GateResult): string {
  const more = omittedDetails > 0 ? `; and ${omittedDetails} more` : '';
  return `${gate}: wanted ${wanted}; found ${found}${details.length > 0 ? ` (${details.join('; ')}${more})` : ''}`;
}
