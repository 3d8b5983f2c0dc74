import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import type { Evidence } from './evidence.ts';
import { changedSince, fingerprints, suspectsAmong } from './foreign.ts';
import { type EnteredStage, gatesFor } from './gates.ts';
import { intended, isForward } from './intent.ts';
import { stageThere } from './noticed.ts';
import { isBefore } from './objects.ts';
import { entered, ordered } from './ordered.ts';
import { type Decision, heldBy, idle, type Known, type Situation } from './situation.ts';
import { type Spike, spikeOf } from './spike.ts';
import { type Armed, initialState, type Intent, type RolloutState } from './state.ts';
import type { GateResult, Transition } from './status.ts';
import { heldAt, loosened, nextStep, stageBefore } from './step.ts';
import { callText, counted, instant, moment } from './words.ts';

export { finished } from './intent.ts';
export type { Decision, Refusal, RolloutOrder, Situation } from './situation.ts';

/** A step that was not finished for so long is undone: what its gates rested on is old. */
const RESUME_WITHIN_MS = 10 * 60_000;
const ITSELF = 'gatehouse';
/** A NamespaceRollout has at most 500 at a time. */
const MOST_ANSWERED = 1_000;

/** The next state of a rollout, and what to do about it. At most one step at once. */
export function decide(situation: Situation): Decision {
  const { rollout, evidence, now, order } = situation;
  const before = situation.state ?? adopted(rollout, evidence, now);
  const state = answeredFor(watched(before, rollout, evidence, now), rollout);
  const known = { ...situation, state };
  if (state.intent !== undefined) return resumed(known, state.intent);
  return order === undefined ? onItsOwn(known) : ordered(known, order);
}

/** Where nothing is kept, what is there counts: a state that was lost must not open a namespace. */
function adopted(rollout: NamespaceRollout, { configured }: Evidence, now: number): RolloutState {
  return { ...initialState(rollout.meta.namespace, now), stage: stageThere(rollout, configured) };
}

/** Remembers what was accepted; the same object where that is known. What is accepted today is not forgotten for what was. */
function answeredFor(state: RolloutState, { accepted }: NamespaceRollout): RolloutState {
  const { answered = [] } = state;
  const known = new Set(answered.map((entry) => JSON.stringify(entry)));
  const today = new Map(accepted.map(({ from, to }) => [JSON.stringify({ from, to }), { from, to }]));
  if ([...today.keys()].every((entry) => known.has(entry))) return state;
  const past = answered.filter((entry) => !today.has(JSON.stringify(entry)));
  return { ...state, answered: [...past, ...today.values()].slice(-MOST_ANSWERED) };
}

/** Arms rollback when policies of others changed, and ends it when its time is over. */
function watched(state: RolloutState, rollout: NamespaceRollout, { configured }: Evidence, now: number): RolloutState {
  const known = fingerprints(rollout, configured);
  const armed = state.armed !== undefined && now > state.armed.until && state.intent === undefined ? undefined : state.armed;
  if (state.known === undefined) return { ...state, known, armed };
  const changed = changedSince(state.known, known);
  if (changed.length === 0) return armed === state.armed ? state : { ...state, armed };
  const suspects = suspectsAmong(changed, rollout, configured);
  const stillThere =
    armed?.suspects.filter(({ name }) => !changed.includes(`AuthorizationPolicy ${state.namespace}/${name}`)) ?? [];
  return {
    ...state,
    known,
    armed: {
      ...(armed ?? { since: Math.min(configured.since, now), own: false }),
      until: now + rollout.rollback.withinMs,
      why: `${armed === undefined ? '' : `${armed.why}; `}${changed.join(', ')} changed`,
      suspects: [...stillThere, ...suspects],
    },
  };
}

/** An unfinished step: finished, or undone when it is old or refuses who was let through before; going back is always finished. */
function resumed(known: Known, intent: Intent): Decision {
  const { state, now, order, rollout, evidence } = known;
  const { transition } = intent;
  const { namespace } = rollout.meta;
  const free: Known = { ...known, state: { ...state, intent: undefined } };
  const undo = (cause: 'rollback-command' | 'rollback-automatic', by: string, reason: string): Decision =>
    intended(free, { to: state.stage, cause, by, reason, held: state.held });
  const forward = isForward(transition);
  if (order?.kind === 'rollback') {
    if (forward && (order.to === undefined || order.to === state.stage)) return undo('rollback-command', order.by, order.reason);
    const from = forward ? state.stage : transition.to;
    const to = order.to ?? from;
    if (!forward && !isBefore(to, from)) return underWay(known, `${namespace} is already on its way back to ${transition.to}`);
    return ordered(free, { ...order, to });
  }
  if (forward && order === undefined) {
    if (now - Date.parse(transition.at) > RESUME_WITHIN_MS)
      return undo(
        'rollback-automatic',
        ITSELF,
        `the step to ${transition.to} of ${transition.at} was not finished, and what it rested on is old`,
      );
    const spike = spikeOf(rollout, state, evidence, now);
    if (spike !== undefined && state.armed !== undefined && spike.own >= rollout.rollback.denials)
      return undo('rollback-automatic', ITSELF, spikeText(spike, state.armed));
  }
  return underWay(
    known,
    order === undefined ? undefined : `the step of ${namespace} to ${transition.to} is under way: ask again once it is done`,
  );
}

function underWay({ state }: Known, error: string | undefined): Decision {
  return { state, desired: undefined, refusal: error === undefined ? undefined : { error, heldBy: [] }, alerts: [] };
}

function onItsOwn(known: Known): Decision {
  const { state, rollout, evidence, now } = known;
  if (rollout.advance === 'Propose') return proposed(known);
  const spike = spikeOf(rollout, state, evidence, now);
  if (spike !== undefined && state.armed !== undefined) return takenBack(known, spike, state.armed);
  if (isBefore(rollout.target, state.stage))
    return intended(known, {
      to: rollout.target,
      cause: 'rollback-command',
      by: ITSELF,
      reason: `the NamespaceRollout's target is ${rollout.target} now`,
    });
  const back = loosened(rollout, state, now);
  if (back !== undefined)
    return intended(known, {
      to: state.stage,
      cause: 'exceptions',
      by: ITSELF,
      reason: exceptionsText(rollout, state, back),
      held: back,
    });
  const next = nextStep(rollout, state);
  if (next === undefined || rollout.advance !== 'Automatic') return idle(known);
  const gates = gatesFor(rollout, state, next, evidence, now);
  if (heldBy(known, gates).length > 0) return idle(known);
  return entered(known, next, gates, 'automatic', ITSELF, 'all gates are met');
}

function exceptionsText({ exceptions }: NamespaceRollout, { held, stage }: RolloutState, back: RolloutState['held']): string {
  const made = exceptions.filter(({ workload }) => back[workload] !== held[workload]);
  const texts = made.map(({ workload, owner, reason, until }) => {
    const to = back[workload] ?? stage;
    return `${workload} goes back to ${to} until ${instant(until)} (${owner}: ${reason})`;
  });
  return texts.join('; ');
}

function spikeText({ denials, calls }: Spike, { since, why }: Armed): string {
  const most = calls.slice(0, 3).map(callText).join('; ');
  const more = calls.length > 3 ? `; and ${calls.length - 3} more` : '';
  const were = denials === 1 ? 'was' : 'were';
  return `${counted(denials, 'call')} as ${were} let through before ${were} denied since ${instant(since)} (${why}): ${most}${more}`;
}

/** Policies of others that may have refused them become dry runs; what the rollout did last is undone where it may have. */
function takenBack(known: Known, spike: Spike, armed: Armed): Decision {
  const { state, rollout } = known;
  const reason = spikeText(spike, armed);
  const { suspects } = spike;
  const own = spike.own >= rollout.rollback.denials && (armed.own || suspects.length === 0);
  const before = armed.back ?? { stage: stageBefore(state.stage) ?? state.stage, held: state.held };
  const moves = own && (before.stage !== state.stage || JSON.stringify(before.held) !== JSON.stringify(state.held));
  if (!moves && suspects.length === 0)
    return idle(known, {
      alerts: [`${reason}. Nothing of the rollout's refused them, and no AuthorizationPolicy of the namespace that changed`],
    });
  return intended(known, {
    to: moves ? before.stage : state.stage,
    cause: 'rollback-automatic',
    by: ITSELF,
    reason,
    held: moves ? before.held : state.held,
    dryRun: suspects,
  });
}

/** Where others write, their objects say which stage it is. */
function proposed(known: Known): Decision {
  const { state, rollout, evidence, now } = known;
  const spike = spikeOf(rollout, state, evidence, now);
  const alerts = spike === undefined || state.armed === undefined ? [] : [spikeText(spike, state.armed)];
  const stage = stageThere(rollout, evidence.configured);
  if (stage === state.stage) return idle(known, { alerts });
  const transition: Transition = {
    number: state.history.length + 1,
    at: moment(now),
    from: state.stage,
    to: stage,
    cause: 'noticed',
    by: ITSELF,
    reason: `the objects of ${stage} are there`,
    gates: isBefore(state.stage, stage) && stage !== 'observe' ? gatesNoticed(known, stage) : [],
    objects: [],
  };
  const armed: Armed = {
    since: Math.min(evidence.configured.since, now),
    until: now + rollout.rollback.withinMs,
    why: `the objects of ${stage} came ${transition.at}`,
    own: true,
    suspects: [],
  };
  return idle(
    {
      ...known,
      state: {
        ...state,
        stage,
        since: now,
        objectsSince: now,
        held: heldAt(rollout, state, stage),
        armed: isBefore(state.stage, stage) ? armed : undefined,
        history: [...state.history, transition],
      },
    },
    { alerts },
  );
}

function gatesNoticed({ state, rollout, evidence, now }: Known, to: EnteredStage): readonly GateResult[] {
  return gatesFor(rollout, state, { to, workloads: undefined, held: heldAt(rollout, state, to) }, evidence, now);
}
