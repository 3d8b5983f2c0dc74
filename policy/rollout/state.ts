import type { AcceptedCalls, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { SuggestedPolicy } from '../suggest/suggestion.ts';
import type { RolloutObject } from './objects.ts';
import type { Transition } from './status.ts';

/** A policy of somebody else, that a rollback sets to `istio.io/dry-run: "true"`. */
export interface ForeignPolicy {
  readonly namespace: string;
  readonly name: string;
}

/** A step that was decided and perhaps not done: kept before objects are touched, so that a restart finishes or undoes it. */
export interface Intent {
  readonly transition: Transition;
  /** All objects of the stage that is entered; what else is labelled as the rollout's goes. */
  readonly objects: readonly RolloutObject[];
  /** From which they were made. */
  readonly suggestion: readonly SuggestedPolicy[] | undefined;
  readonly held: Readonly<Record<string, Stage>>;
  readonly dryRun: readonly ForeignPolicy[];
}

/** Whose calls, and to whom. */
export type Answered = Pick<AcceptedCalls, 'from' | 'to'>;

/** Rollback takes the namespace back when callers that were let through before are denied within this time. */
export interface Armed {
  readonly since: number;
  readonly until: number;
  /** What changed, in words. */
  readonly why: string;
  /** The rollout's own objects changed, not only policies of others. */
  readonly own: boolean;
  /** What the namespace was like before they did; absent where they did not. */
  readonly back?: { readonly stage: Stage; readonly held: Readonly<Record<string, Stage>> };
  /** AuthorizationPolicies of others that appeared or changed. */
  readonly suspects: readonly ForeignPolicy[];
}

/** All that is kept of one namespace's rollout. JSON values only. Times are ms since the epoch. */
export interface RolloutState {
  readonly version: 1;
  readonly namespace: string;
  /** Grows with each save; a store refuses one that is not its own plus one (somebody else wrote meanwhile). */
  readonly revision: number;
  readonly stage: Stage;
  /** When the stage was entered; when the objects that are enforced or dry-run were changed last. */
  readonly since: number;
  readonly objectsSince: number;
  /** What the namespace has now, as it was written last. */
  readonly objects: readonly RolloutObject[];
  /** From which the objects were made at dry-run: enforced is what was dry-run, until it is renewed. */
  readonly suggestion: readonly SuggestedPolicy[] | undefined;
  /** Workloads that are behind the namespace's stage, by name. */
  readonly held: Readonly<Record<string, Stage>>;
  /** What policies of others were like when they were looked at last, by `KIND NAMESPACE/NAME`; undefined: never. */
  readonly known: Readonly<Record<string, string>> | undefined;
  /** Paused by command; the object's own `paused` counts as well. */
  readonly paused: { readonly by: string; readonly reason: string; readonly at: number } | undefined;
  readonly armed: Armed | undefined;
  /**
   * Calls that somebody accepts, or did since policies were suggested, the entry's end and its removal notwithstanding: they are refused
   * on purpose, and what an intruder goes on trying must not take the namespace back once nobody answers for it. Absent: none.
   */
  readonly answered?: readonly Answered[];
  readonly intent: Intent | undefined;
  /** The oldest first; all of it. */
  readonly history: readonly Transition[];
}

export function initialState(namespace: string, now: number): RolloutState {
  return {
    version: 1,
    namespace,
    revision: 0,
    stage: 'observe',
    since: now,
    objectsSince: now,
    objects: [],
    suggestion: undefined,
    held: {},
    known: undefined,
    paused: undefined,
    armed: undefined,
    intent: undefined,
    history: [],
  };
}
