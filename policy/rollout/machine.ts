import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { SuggestedPolicy } from '../suggest/suggestion.ts';
import type { Evidence } from './evidence.ts';
import { changedSince, fingerprints, suspectsAmong } from './foreign.ts';
import { type EnteredStage, type GatedStep, gatesFor } from './gates.ts';
import { stageThere } from './noticed.ts';
import { isBefore, isOwn, objectName, objectsOf, type RolloutObject } from './objects.ts';
import { spikeOf } from './spike.ts';
import { type ForeignPolicy, initialState, type Intent, type RolloutState } from './state.ts';
import type { GateResult, Transition, TransitionCause } from './status.ts';
import { heldAt, loosened, nextStep, stageBefore } from './step.ts';
import { callText, counted, instant } from './words.ts';

/** A step that was not finished for so long is undone: what its gates rested on is old. */
const RESUME_WITHIN_MS = 10 * 60_000;
export const ITSELF = 'gatehouse';

/** What somebody orders. `by` is who: a user name, or whom the API server authenticated. */
export type RolloutOrder =
  | { readonly kind: 'advance'; readonly by: string; readonly reason: string; readonly to?: Stage; readonly force: boolean }
  | { readonly kind: 'rollback'; readonly by: string; readonly reason: string; readonly to?: Stage }
  | { readonly kind: 'pause' | 'resume' | 'renew'; readonly by: string; readonly reason: string };

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

export interface Refusal {
  readonly error: string;
  readonly heldBy: readonly string[];
}

/**
 * What to do: keep `state`; where it has an intent, write its objects, set its policies to dry-run and keep {@link finished}; else see to it
 * that `desired` is what is there. All of it may be done again.
 */
export interface Decision {
  readonly state: RolloutState;
  /** Undefined: nothing is to be written but an intent, since objects are only proposed, or it is paused, or it is not known what they were made of. */
  readonly desired: readonly RolloutObject[] | undefined;
  /** Why an order was not followed. */
  readonly refusal: Refusal | undefined;
  /** What somebody should look at, in words. */
  readonly alerts: readonly string[];
}

/** The next state of a rollout, and what to do about it. At most one step at once. */
export function decide(situation: Situation): Decision {
  const { rollout, evidence, now, order } = situation;
  const state = watched(situation.state ?? adopted(rollout, evidence, now), rollout, evidence, now);
  if (state.intent !== undefined) return resumed({ ...situation, state }, state.intent);
  const known = { ...situation, state };
  if (order !== undefined) return ordered(known, order);
  return onItsOwn(known);
}

type Known = Situation & { readonly state: RolloutState };

/** Where nothing is kept, what is there counts: a state that was lost must not open a namespace. */
function adopted(rollout: NamespaceRollout, { configured }: Evidence, now: number): RolloutState {
  return { ...initialState(rollout.meta.namespace, now), stage: stageThere(rollout, configured) };
}

/** Arms rollback when policies of others changed, and ends it when its time is over. */
function watched(state: RolloutState, rollout: NamespaceRollout, { configured }: Evidence, now: number): RolloutState {
  const known = fingerprints(rollout, configured);
  const armed = state.armed !== undefined && now > state.armed.until ? undefined : state.armed;
  if (state.known === undefined) return { ...state, known, armed };
  const changed = changedSince(state.known, known);
  if (changed.length === 0) return armed === state.armed ? state : { ...state, armed };
  const suspects = suspectsAmong(changed, rollout, configured);
  const before = armed?.suspects.filter(({ name }) => !suspects.some((one) => one.name === name)) ?? [];
  return {
    ...state,
    known,
    armed: {
      since: armed?.since ?? Math.min(configured.since, now),
      until: now + rollout.rollback.withinMs,
      why: `${armed === undefined ? '' : `${armed.why}; `}${changed.join(', ')} changed`,
      own: armed?.own ?? false,
      suspects: [...before, ...suspects],
    },
  };
}

function idle({ rollout, evidence, state }: Known, more: Partial<Decision> = {}): Decision {
  const paused = rollout.paused || state.paused !== undefined;
  const unknown = !isBefore(state.stage, 'dry-run') && state.suggestion === undefined;
  const writes = rollout.advance !== 'Propose' && !paused && !unknown;
  return {
    state,
    desired: writes ? made(rollout, evidence, state.stage, state.suggestion, state.held) : undefined,
    refusal: undefined,
    alerts: [],
    ...more,
  };
}

function made(
  rollout: NamespaceRollout,
  { configured }: Evidence,
  stage: Stage,
  suggestion: readonly SuggestedPolicy[] | undefined,
  held: RolloutState['held'],
): readonly RolloutObject[] {
  const { workloads, gateways, authorizationPolicies } = configured;
  return objectsOf({
    stage,
    rollout,
    suggestion: suggestion ?? [],
    workloads,
    held,
    gateways,
    policies: authorizationPolicies.filter((policy) => !isOwn(policy, rollout)),
  });
}

interface Step {
  readonly to: Stage;
  readonly cause: TransitionCause;
  readonly by: string;
  readonly reason: string;
  readonly gates?: readonly GateResult[];
  readonly held?: RolloutState['held'];
  readonly suggestion?: readonly SuggestedPolicy[] | undefined;
  readonly dryRun?: readonly ForeignPolicy[];
}

function intended(known: Known, step: Step): Decision {
  const { rollout, evidence, state, now } = known;
  const held = step.held ?? heldAt(rollout, state, step.to);
  const suggestion = 'suggestion' in step ? step.suggestion : state.suggestion;
  const objects = made(rollout, evidence, step.to, suggestion, held);
  const transition: Transition = {
    number: state.history.length + 1,
    at: instant(now),
    from: state.stage,
    to: step.to,
    cause: step.cause,
    by: step.by,
    reason: step.reason,
    gates: step.gates ?? [],
    objects: [
      ...objects.map(objectName),
      ...(step.dryRun ?? []).map(({ namespace, name }) => `AuthorizationPolicy ${namespace}/${name}`),
    ],
  };
  const intent: Intent = { transition, objects, suggestion, held, dryRun: step.dryRun ?? [] };
  return { state: { ...state, intent }, desired: undefined, refusal: undefined, alerts: [] };
}

function refused(known: Known, error: string, heldBy: readonly string[] = []): Decision {
  return idle(known, { refusal: { error, heldBy } });
}

/** An unfinished step: finished, or undone when it is old; going back is always finished. */
function resumed(known: Known, intent: Intent): Decision {
  const { state, now, order, rollout } = known;
  const { transition } = intent;
  const free: Known = { ...known, state: { ...state, intent: undefined } };
  if (order?.kind === 'rollback') return ordered(free, { ...order, to: order.to ?? transition.from });
  const forward = isForward(transition);
  if (forward && now - Date.parse(transition.at) > RESUME_WITHIN_MS)
    return intended(free, {
      to: state.stage,
      cause: 'rollback-automatic',
      by: ITSELF,
      reason: `the step to ${transition.to} of ${transition.at} was not finished, and what it rested on is old`,
      held: state.held,
    });
  const refusal =
    order === undefined
      ? undefined
      : {
          error: `the step of ${rollout.meta.namespace} to ${transition.to} is under way: ask again once it is done`,
          heldBy: [],
        };
  return { state, desired: undefined, refusal, alerts: [] };
}

const isForward = ({ cause }: Transition): boolean =>
  cause === 'command' || cause === 'automatic' || cause === 'suggestion-renewed';

function ordered(known: Known, order: RolloutOrder): Decision {
  const { state, rollout, now, suggest } = known;
  const { by, reason } = order;
  const { namespace } = rollout.meta;
  const proposes = rollout.advance === 'Propose';
  switch (order.kind) {
    case 'pause':
      return idle({ ...known, state: { ...state, paused: { by, reason, at: now } } });
    case 'resume':
      return idle({ ...known, state: { ...state, paused: undefined } });
    case 'rollback': {
      const to = order.to ?? stageBefore(state.stage);
      if (to === undefined) return refused(known, `${namespace} is at observe: there is nothing to go back to`);
      if (!isBefore(to, state.stage) && known.state === state && state.stage !== to)
        return refused(known, `${namespace} is at ${state.stage}: ${to} is not before it`);
      if (proposes) return refused(known, `${namespace} is proposed only: commit the objects of ${to} yourself`);
      return intended(known, { to, cause: 'rollback-command', by, reason });
    }
    case 'renew':
      if (state.stage !== 'dry-run') return refused(known, `${namespace} is at ${state.stage}: only a dry run is renewed`);
      return intended(known, { to: 'dry-run', cause: 'suggestion-renewed', by, reason, suggestion: suggest(), held: state.held });
    case 'advance':
      return advanced(known, order);
  }
  return order satisfies never;
}

function advanced(known: Known, order: Extract<RolloutOrder, { kind: 'advance' }>): Decision {
  const { state, rollout, evidence, now } = known;
  const { namespace } = rollout.meta;
  const next = nextStep(rollout, state);
  if (next === undefined) return refused(known, `${namespace} is at ${state.stage}, which is as far as it is to go`);
  if (order.to !== undefined && order.to !== next.to)
    return refused(known, `${namespace} goes one stage at a time: the next is ${next.to}, not ${order.to}`);
  if (rollout.advance === 'Propose')
    return refused(known, `${namespace} is proposed only: gatehouse rollout plan ${namespace} -o yaml prints what to commit`);
  const gates = gatesFor(rollout, state, next, evidence, now);
  const held = heldBy(known, gates);
  if (order.force && order.reason.trim() === '') return refused(known, 'overriding gates needs a reason', held);
  if (held.length > 0 && !order.force) return refused(known, `${namespace} cannot enter ${next.to} yet`, held);
  return entered(known, next, gates, 'command', order.by, order.reason);
}

function entered(
  known: Known,
  next: GatedStep,
  gates: readonly GateResult[],
  cause: TransitionCause,
  by: string,
  reason: string,
): Decision {
  const { state, suggest } = known;
  const first = next.to === 'dry-run' && next.workloads === undefined;
  return intended(known, {
    to: next.workloads === undefined ? next.to : state.stage,
    cause,
    by,
    reason,
    gates,
    held: next.held,
    ...(first ? { suggestion: suggest() } : {}),
  });
}

/** What is in the way of the next step, in words. */
export function heldBy({ rollout, state }: Pick<Known, 'rollout' | 'state'>, gates: readonly GateResult[]): readonly string[] {
  const { paused } = state;
  return [
    ...(rollout.paused ? ['paused: the NamespaceRollout says so'] : []),
    ...(paused === undefined ? [] : [`paused by ${paused.by}: ${paused.reason}`]),
    ...gates.filter(({ met }) => !met).map(gateText),
  ];
}

function gateText({ gate, wanted, found, details, omittedDetails }: GateResult): string {
  const more = omittedDetails > 0 ? `, and ${omittedDetails} more` : '';
  return `${gate}: wanted ${wanted}; found ${found}${details.length > 0 ? ` (${details.join('; ')}${more})` : ''}`;
}

function onItsOwn(known: Known): Decision {
  const { state, rollout, evidence, now } = known;
  if (rollout.advance === 'Propose') return proposed(known);
  const spike = state.armed === undefined ? undefined : spikeOf(rollout, state.armed, evidence, now);
  if (spike !== undefined && state.armed !== undefined) {
    const { own, suspects, why } = state.armed;
    const reason = `${counted(spike.denials, 'call')} that were let through before were denied since ${instant(state.armed.since)} (${why}): ${spike.calls.slice(0, 3).map(callText).join('; ')}`;
    const back = own || suspects.length === 0 ? (stageBefore(state.stage) ?? state.stage) : state.stage;
    if (back !== state.stage || suspects.length > 0)
      return intended(known, {
        to: back,
        cause: 'rollback-automatic',
        by: ITSELF,
        reason,
        dryRun: suspects,
        ...(back === state.stage ? { held: state.held } : {}),
      });
    return idle(known, { alerts: [reason] });
  }
  if (isBefore(rollout.target, state.stage))
    return intended(known, {
      to: rollout.target,
      cause: 'rollback-command',
      by: ITSELF,
      reason: `the target is ${rollout.target}`,
    });
  const back = loosened(rollout, state, now);
  if (back !== undefined)
    return intended(known, { to: state.stage, cause: 'exceptions', by: ITSELF, reason: 'an exception was made', held: back });
  const next = nextStep(rollout, state);
  if (next === undefined || rollout.advance !== 'Automatic') return idle(known);
  const gates = gatesFor(rollout, state, next, evidence, now);
  if (heldBy(known, gates).length > 0) return idle(known);
  return entered(known, next, gates, 'automatic', ITSELF, 'all gates are met');
}

/** Where others write, their objects say which stage it is. */
function proposed(known: Known): Decision {
  const { state, rollout, evidence, now } = known;
  const stage = stageThere(rollout, evidence.configured);
  if (stage === state.stage) return idle(known);
  const transition: Transition = {
    number: state.history.length + 1,
    at: instant(now),
    from: state.stage,
    to: stage,
    cause: 'noticed',
    by: ITSELF,
    reason: `the objects of ${stage} are there`,
    gates: isBefore(state.stage, stage) && stage !== 'observe' ? gatesNoticed(known, stage) : [],
    objects: [],
  };
  return idle({
    ...known,
    state: {
      ...state,
      stage,
      since: now,
      objectsSince: now,
      held: heldAt(rollout, state, stage),
      history: [...state.history, transition],
    },
  });
}

function gatesNoticed({ state, rollout, evidence, now }: Known, to: EnteredStage): readonly GateResult[] {
  return gatesFor(rollout, state, { to, workloads: undefined, held: heldAt(rollout, state, to) }, evidence, now);
}

/** The state once an intent is done. */
export function finished(state: RolloutState, rollout: NamespaceRollout, now: number): RolloutState {
  const { intent } = state;
  if (intent === undefined) return state;
  const { transition, objects, suggestion, held, dryRun } = intent;
  const back = transition.cause === 'rollback-command' || transition.cause === 'rollback-automatic';
  const since = Date.parse(transition.at);
  const armed = {
    since,
    until: now + rollout.rollback.withinMs,
    why: `the step of ${transition.at} to ${transition.to}`,
    own: true,
    suspects: [],
  };
  return {
    ...state,
    stage: transition.to,
    since: transition.to === state.stage ? state.since : now,
    objectsSince: now,
    objects,
    suggestion,
    held,
    // What was taken back cannot be what is denied now; policies of others that were set to dry-run may not have been all.
    armed: back && dryRun.length === 0 ? undefined : armed,
    intent: undefined,
    history: [...state.history, transition],
  };
}
