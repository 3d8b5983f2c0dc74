import { type NamespaceRollout, type Stage, STAGES } from '../../mesh/model/namespace-rollout.ts';
import { hasEnded } from './accepted.ts';
import type { EnteredStage, GatedStep } from './gates.ts';
import { isBefore } from './objects.ts';
import type { RolloutState } from './state.ts';

const ENTERED = Object.freeze({ observe: 'strict', strict: 'dry-run', 'dry-run': 'enforce', enforce: undefined } as const);
const LEFT = Object.freeze({ observe: undefined, strict: 'observe', 'dry-run': 'strict', enforce: 'dry-run' } as const);

export const stageAfter = (stage: Stage): EnteredStage | undefined => ENTERED[stage];
export const stageBefore = (stage: Stage): Exclude<Stage, 'enforce'> | undefined => LEFT[stage];

type Held = RolloutState['held'];

/** What exceptions say, whether they ended or not: one that ended keeps its workload where it is. */
function upTo({ exceptions }: NamespaceRollout, workload: string): Stage {
  const stages = exceptions.filter((one) => one.workload === workload).map((one) => one.upTo);
  return stages.reduce<Stage>((least, stage) => (isBefore(stage, least) ? stage : least), 'enforce');
}

/** Only what is before the namespace's stage says anything. */
function tidied(held: Held, stage: Stage): Held {
  return Object.fromEntries(
    Object.entries(held)
      .filter(([, at]) => isBefore(at, stage))
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

/** Who stays behind when the namespace enters a stage: those who are behind already, and those whom an exception keeps. */
export function heldAt(rollout: NamespaceRollout, state: RolloutState, stage: Stage): Held {
  const held: Record<string, Stage> = { ...state.held };
  for (const { workload } of rollout.exceptions) {
    // Nobody goes back by a step forward.
    const at = held[workload] ?? state.stage;
    const most = upTo(rollout, workload);
    held[workload] = held[workload] !== undefined || isBefore(most, at) ? at : most;
  }
  return tidied(held, stage);
}

/** Who goes back at once, because somebody made an exception. One that ended before it was seen changes nothing. */
export function loosened(rollout: NamespaceRollout, state: RolloutState, now: number): Held | undefined {
  const held: Record<string, Stage> = { ...state.held };
  let changed = false;
  for (const exception of rollout.exceptions) {
    if (hasEnded(exception, now)) continue;
    const at = held[exception.workload] ?? state.stage;
    if (!isBefore(exception.upTo, at)) continue;
    held[exception.workload] = exception.upTo;
    changed = true;
  }
  return changed ? tidied(held, state.stage) : undefined;
}

/**
 * The next step: one stage for the workloads that are behind and that no exception keeps there any more, those furthest behind first; else
 * one stage for the namespace. Undefined: there is none.
 */
export function nextStep(rollout: NamespaceRollout, state: RolloutState): GatedStep | undefined {
  const free = Object.entries(state.held).filter(([name, at]) => isBefore(at, upTo(rollout, name)) && isBefore(at, state.stage));
  const lowest = STAGES.find((stage) => free.some(([, at]) => at === stage));
  const lifted = lowest === undefined ? undefined : stageAfter(lowest);
  if (lifted !== undefined) {
    const names = free.filter(([, at]) => at === lowest).map(([name]) => name);
    const held = { ...state.held, ...Object.fromEntries(names.map((name) => [name, lifted])) };
    return { to: lifted, workloads: new Set(names), held: tidied(held, state.stage) };
  }
  const to = stageAfter(state.stage);
  if (to === undefined || isBefore(rollout.target, to)) return undefined;
  return { to, workloads: undefined, held: heldAt(rollout, state, to) };
}
