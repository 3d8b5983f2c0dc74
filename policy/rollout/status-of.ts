import type { AcceptedCalls, NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import { entriesAbout, hasEnded } from './accepted.ts';
import type { ObservedCall } from '../observed/call.ts';
import type { Evidence } from './evidence.ts';
import { gatesFor, standing } from './gates.ts';
import { heldBy } from './situation.ts';
import type { RolloutState } from './state.ts';
import type { RolloutStatus } from './status.ts';
import { nextStep } from './step.ts';
import { instant } from './words.ts';

const MOST_SHOWN = 3;
const LONGEST_SHOWN = 100;

/** @param most how many transitions it has */
export function statusOf(
  rollout: NamespaceRollout,
  state: RolloutState,
  evidence: Evidence,
  now: number,
  most = Number.POSITIVE_INFINITY,
): RolloutStatus {
  const { namespace, name } = rollout.meta;
  const next = nextStep(rollout, state);
  const counts = covered(rollout, evidence);
  const gates = next === undefined ? [] : gatesFor(rollout, state, next, evidence, now);
  return {
    namespace,
    name,
    stage: state.stage,
    target: rollout.target,
    advance: rollout.advance,
    paused: rollout.paused || state.paused !== undefined,
    since: instant(state.since),
    next: next?.to,
    gates,
    heldBy: heldBy({ rollout, state }, next === undefined ? standing(rollout, state, evidence, now) : gates),
    command:
      next === undefined
        ? undefined
        : rollout.advance === 'Propose'
          ? `gatehouse rollout plan ${namespace} -o yaml`
          : `gatehouse rollout advance ${namespace}`,
    exceptions: rollout.exceptions.map((one) => ({
      workload: one.workload,
      upTo: one.upTo,
      owner: one.owner,
      until: instant(one.until),
      expired: hasEnded(one, now),
    })),
    accepted: rollout.accepted.map((entry) => ({
      text: acceptedText(entry),
      owner: entry.owner,
      until: instant(entry.until),
      expired: hasEnded(entry, now),
      calls: counts.get(entry) ?? 0,
    })),
    rollbackArmedUntil: state.armed === undefined || rollout.rollback.denials === 0 ? undefined : instant(state.armed.until),
    history: [...state.history].reverse().slice(0, most),
  };
}

/** How many calls each entry covers. */
function covered({ accepted }: NamespaceRollout, evidence: Evidence): ReadonlyMap<AcceptedCalls, number> {
  const counts = new Map<AcceptedCalls, number>();
  const count = (kind: AcceptedCalls['kind'], calls: readonly ObservedCall[]): void => {
    const about = entriesAbout(accepted.filter((entry) => entry.kind === kind));
    for (const call of calls) for (const entry of about(call)) counts.set(entry, (counts.get(entry) ?? 0) + call.count);
  };
  count(
    'plain-text',
    evidence.calls.filter(({ mtls }) => !mtls),
  );
  count(
    'denied',
    evidence.wouldBeDenied.map(({ call }) => call),
  );
  return counts;
}

function acceptedText({ kind, from, to, reason }: AcceptedCalls): string {
  const who = [from.principal, from.namespace && `namespace ${from.namespace}`, from.ipBlock].filter(
    (part) => part !== undefined,
  );
  const what = to.workload === undefined ? 'any workload' : to.workload;
  const port = to.port === undefined ? '' : `:${to.port}`;
  const requests = [to.methods, to.paths].map((list) => (list === undefined ? '' : ` ${someOf(list)}`)).join('');
  const calls = kind === 'plain-text' ? 'plain text' : 'denied calls';
  return `${calls} of ${who.length === 0 ? 'anybody' : who.join(', ')} to ${what}${port}${requests}: ${reason}`;
}

/** There may be many, and long ones: what is shown has its bounds. */
function someOf(values: readonly string[]): string {
  const shown = values
    .slice(0, MOST_SHOWN)
    .map((value) => (value.length > LONGEST_SHOWN ? `${value.slice(0, LONGEST_SHOWN)}…` : value));
  return values.length > MOST_SHOWN ? `${shown.join('|')}|… (${values.length})` : shown.join('|');
}
