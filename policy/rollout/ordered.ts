import { gatesFor, type GatedStep } from './gates.ts';
import { intended } from './intent.ts';
import { isBefore } from './objects.ts';
import { type Decision, heldBy, idle, isUnknown, type Known, refused, type RolloutOrder } from './situation.ts';
import type { GateResult, TransitionCause } from './status.ts';
import { nextStep, stageBefore } from './step.ts';

/** What somebody's order comes to. */
export function ordered(known: Known, order: RolloutOrder): Decision {
  const { state, rollout, now, suggest } = known;
  const { by, reason } = order;
  const { namespace } = rollout.meta;
  switch (order.kind) {
    case 'pause':
      return idle({ ...known, state: { ...state, paused: { by, reason, at: now } } });
    case 'resume':
      if (rollout.paused) return refused(known, `${namespace} is paused by its NamespaceRollout: set spec.paused to false there`);
      return idle({ ...known, state: { ...state, paused: undefined } });
    case 'rollback': {
      const to = order.to ?? stageBefore(state.stage);
      if (to === undefined) return refused(known, `${namespace} is at observe: there is nothing to go back to`);
      if (!isBefore(to, state.stage))
        return refused(known, `${namespace} is at ${state.stage}, and ${to} is not before it: gatehouse rollout advance goes on`);
      if (rollout.advance === 'Propose')
        return refused(known, `${namespace} is proposed only: take back the commit that brought the objects of ${state.stage}`);
      return intended(known, { to, cause: 'rollback-command', by, reason });
    }
    case 'renew':
      if (state.stage !== 'dry-run')
        return refused(
          known,
          state.stage === 'enforce'
            ? `${namespace} is enforced: gatehouse rollout rollback takes it to its dry run, which can be renewed`
            : `${namespace} is at ${state.stage}: its policies are made when it enters the dry run`,
        );
      if (rollout.advance === 'Propose')
        return refused(known, `${namespace} is proposed only: gatehouse policy suggest prints what would be made today`);
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
  if (next === undefined)
    return refused(
      known,
      `${namespace} is at ${state.stage}, which is as far as it is to go${state.stage === 'enforce' ? '' : ` (spec.target: ${rollout.target})`}`,
    );
  if (order.to !== undefined && order.to !== next.to)
    return refused(known, `${namespace} goes one stage at a time: the next is ${next.to}, not ${order.to}`);
  if (rollout.advance === 'Propose')
    return refused(known, `${namespace} is proposed only: gatehouse rollout plan ${namespace} -o yaml prints what to commit`);
  const gates = gatesFor(rollout, state, next, evidence, now);
  const held = heldBy(known, gates);
  if (order.force && order.reason.trim() === '')
    return refused(known, 'overriding what holds it needs a reason (--reason), which is kept', held);
  if (held.length > 0 && !order.force) return refused(known, `${namespace} cannot enter ${next.to} yet`, held);
  // Not to be forced: nobody could say who would be let in.
  if (next.to === 'enforce' && isUnknown(state))
    return refused(known, `it is not known what ${namespace}'s dry run was made of: gatehouse rollout renew ${namespace}`, held);
  return entered(known, next, gates, 'command', order.by, order.reason);
}

/** A step forward. */
export function entered(
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
