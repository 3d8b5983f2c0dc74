import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { SuggestedPolicy } from '../suggest/suggestion.ts';
import { DRY_RUN_ANNOTATION, objectName, type RolloutObject } from './objects.ts';
import { type Decision, type Known, objectsFor } from './situation.ts';
import type { Armed, ForeignPolicy, Intent, RolloutState } from './state.ts';
import type { GateResult, Transition, TransitionCause } from './status.ts';
import { heldAt } from './step.ts';
import { moment } from './words.ts';

/** Until policies that were set to dry-run are so at every proxy, calls are still denied, which says nothing. */
const SETTLED_MS = 15_000;

export interface Step {
  readonly to: Stage;
  readonly cause: TransitionCause;
  readonly by: string;
  readonly reason: string;
  readonly gates?: readonly GateResult[];
  readonly held?: RolloutState['held'];
  readonly suggestion?: readonly SuggestedPolicy[] | undefined;
  readonly dryRun?: readonly ForeignPolicy[];
}

/** Steps that may refuse calls which were let through before them. */
export const isForward = ({ cause }: Pick<Transition, 'cause'>): boolean =>
  cause === 'command' || cause === 'automatic' || cause === 'suggestion-renewed';

/** A step, as it is kept before anything of it is done. */
export function intended(known: Known, step: Step): Decision {
  const { rollout, state, now } = known;
  const held = step.held ?? heldAt(rollout, state, step.to);
  const suggestion = 'suggestion' in step ? step.suggestion : state.suggestion;
  const objects = objectsFor(known, { stage: step.to, suggestion, held });
  const dryRun = step.dryRun ?? [];
  const transition: Transition = {
    number: state.history.length + 1,
    at: moment(now),
    from: state.stage,
    to: step.to,
    cause: step.cause,
    by: step.by,
    reason: step.reason,
    gates: step.gates ?? [],
    objects: [...objects.map(objectName), ...dryRun.map(({ namespace, name }) => `AuthorizationPolicy ${namespace}/${name}`)],
  };
  const intent: Intent = { transition, objects, suggestion, held, dryRun };
  const armed = isForward(transition) && isStricter(state.objects, objects) ? armedBy(known, transition) : state.armed;
  return { state: { ...state, intent, armed }, desired: undefined, refusal: undefined, alerts: [] };
}

/** From before the first object is written: a step that is half done may refuse calls too. Policies that came shortly before stay suspected. */
function armedBy({ state, rollout, now }: Known, { at, to, from }: Transition): Armed {
  const before = state.armed;
  const step = `the step of ${at} to ${to}`;
  return {
    since: now,
    until: now + rollout.rollback.withinMs,
    why: before === undefined ? step : `${before.why}; ${step}`,
    own: true,
    back: { stage: from, held: state.held },
    suspects: before?.suspects ?? [],
  };
}

/** Whether what is enforced is not all as it was; a dry run enforces nothing. */
function isStricter(before: readonly RolloutObject[], after: readonly RolloutObject[]): boolean {
  const enforced = (objects: readonly RolloutObject[]): string =>
    JSON.stringify(objects.filter(({ metadata }) => metadata.annotations?.[DRY_RUN_ANNOTATION] === undefined));
  return enforced(before) !== enforced(after);
}

/** The state once an intent is done. */
export function finished(state: RolloutState, rollout: NamespaceRollout, now: number): RolloutState {
  const { intent } = state;
  if (intent === undefined) return state;
  const { transition, objects, suggestion, held } = intent;
  return {
    ...state,
    stage: transition.to,
    since: transition.to === state.stage ? state.since : now,
    objectsSince: now,
    objects,
    suggestion,
    held,
    armed: armedAfter(state, intent, rollout, now),
    // Policies that are suggested anew let in what nobody answers for any more; where nothing is enforced nothing is refused.
    ...((transition.cause === 'suggestion-renewed' || transition.to === 'observe') && { answered: [] }),
    intent: undefined,
    history: [...state.history, transition],
  };
}

function armedAfter(
  { armed }: RolloutState,
  { transition, dryRun }: Intent,
  rollout: NamespaceRollout,
  now: number,
): Armed | undefined {
  const until = now + rollout.rollback.withinMs;
  if (isForward(transition) || transition.cause === 'exceptions') return armed === undefined ? undefined : { ...armed, until };
  if (dryRun.length === 0) return undefined;
  // Policies of others may not have been all that refused: if it goes on, the stage goes back.
  const since = now + SETTLED_MS;
  return { since, until: Math.max(until, since), why: `the step back of ${transition.at}`, own: true, suspects: [] };
}
