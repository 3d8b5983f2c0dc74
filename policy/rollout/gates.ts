import { type NamespaceRollout, type Stage } from '../../mesh/model/namespace-rollout.ts';
import type { ObservedCall } from '../observed/call.ts';
import { ADVICE } from '../preflight/plain-text.ts';
import { hasEnded, sift } from './accepted.ts';
import { conflictsOf } from './conflicts.ts';
import type { Evidence } from './evidence.ts';
import { isBefore } from './objects.ts';
import { cutOffByStrict } from './plain-text.ts';
import { selectorOf } from './selector.ts';
import type { RolloutState } from './state.ts';
import type { GateKind, GateResult } from './status.ts';
import { callText, counted, instant, span } from './words.ts';

/** More are counted, not listed. */
const MOST_DETAILS = 5;
/** Evidence is looked for at least so far back, however short a gate is. */
const LEAST_WINDOW_MS = 60_000;
/** Callers that are let through today are remembered at least so long, for a rollback. */
const BEFORE_MS = 24 * 3_600_000;

export type EnteredStage = Exclude<Stage, 'observe'>;

/** A step before its gates. */
export interface GatedStep {
  readonly to: EnteredStage;
  /** Which workloads the step is about, by name; undefined: all. */
  readonly workloads: ReadonlySet<string> | undefined;
  /** Who stays behind after it. */
  readonly held: Readonly<Record<string, Stage>>;
}

/** Since when calls are evidence. */
export function windowOf(rollout: NamespaceRollout, state: RolloutState, now: number): number {
  const { strict, 'dry-run': dryRun, enforce } = rollout.gates;
  const longest = Math.max(strict.observedForMs, dryRun.observedForMs, enforce.observedForMs, BEFORE_MS);
  return Math.min(now - longest, (state.armed?.since ?? now) - BEFORE_MS);
}

/** Since when calls tell something about a stage: for `enforce` the dry run must have judged them. */
export function judgedSince(rollout: NamespaceRollout, state: RolloutState, to: EnteredStage, now: number): number {
  const since = now - Math.max(rollout.gates[to].observedForMs, LEAST_WINDOW_MS);
  return to === 'enforce' ? Math.max(since, state.objectsSince) : since;
}

/** What has been seen before a stage is entered. All of it must be met. */
export function gatesFor(
  rollout: NamespaceRollout,
  state: RolloutState,
  step: GatedStep,
  evidence: Evidence,
  now: number,
): readonly GateResult[] {
  const since = judgedSince(rollout, state, step.to, now);
  const concerned = (call: ObservedCall): boolean => {
    const workload = call.destination.split('/')[1] ?? '';
    const at = step.held[workload];
    return (at === undefined || !isBefore(at, step.to)) && (step.workloads?.has(workload) ?? true);
  };
  const calls = evidence.calls.filter((call) => call.lastSeen >= since && concerned(call));
  const common = [
    observedFor(rollout, state, step.to, evidence, now),
    requests(rollout, step.to, calls, since),
    recordComplete(evidence, since),
  ];
  const own = ((): readonly GateResult[] => {
    switch (step.to) {
      case 'strict':
        return [plainText(rollout, step, evidence, calls, now), conflicts(rollout, step, evidence)];
      case 'dry-run':
        return [conflicts(rollout, step, evidence)];
      case 'enforce':
        return [
          wouldBeDenied(rollout, state, step, evidence, since, concerned, now),
          agreement(evidence, since, concerned),
          conflicts(rollout, step, evidence),
        ];
    }
    return step.to satisfies never;
  })();
  return [...common, ...own, proxies(evidence), exceptions(rollout, step, now)];
}

/** What is not as the stage says, at the end of the way too, where no step waits for it. */
export function standing(rollout: NamespaceRollout, state: RolloutState, evidence: Evidence, now: number): readonly GateResult[] {
  if (state.stage === 'observe') return [];
  const step = { to: state.stage, workloads: undefined, held: state.held };
  return [conflicts(rollout, step, evidence), exceptions(rollout, step, now)];
}

function result(
  gate: GateKind,
  met: boolean,
  wanted: string,
  found: string,
  details: readonly string[] = [],
  accepted = 0,
): GateResult {
  return {
    gate,
    met,
    wanted,
    found,
    details: details.slice(0, MOST_DETAILS),
    omittedDetails: Math.max(0, details.length - MOST_DETAILS),
    accepted,
  };
}

/** Since when nothing is missing, until now. */
function completeSince({ record }: Evidence, now: number): number | undefined {
  if (record.recordedSince === undefined || record.incomplete !== undefined) return undefined;
  return Math.max(
    record.recordedSince,
    ...record.gaps.map(({ until }) => Math.min(until, now)),
    ...record.losses.map(({ at }) => Math.min(at, now)),
  );
}

function observedFor(
  { gates }: NamespaceRollout,
  state: RolloutState,
  to: EnteredStage,
  evidence: Evidence,
  now: number,
): GateResult {
  const { observedForMs } = gates[to];
  const wanted = `${span(observedForMs)} of complete records${to === 'enforce' ? ' under the dry run as it is' : ''}`;
  const complete = completeSince(evidence, now);
  if (complete === undefined) return result('observed-for', observedForMs === 0, wanted, 'no complete records');
  const from = to === 'enforce' ? Math.max(complete, state.objectsSince) : complete;
  const met = now - from >= observedForMs;
  const details = met ? [] : [`met ${instant(from + observedForMs)} at the earliest`];
  return result('observed-for', met, wanted, `${span(now - from)}, since ${instant(from)}`, details);
}

function requests({ gates }: NamespaceRollout, to: EnteredStage, calls: readonly ObservedCall[], since: number): GateResult {
  const wanted = gates[to].requests;
  const found = calls.reduce((sum, { count }) => sum + count, 0);
  return result('requests', found >= wanted, counted(wanted, 'call'), `${counted(found, 'call')} since ${instant(since)}`);
}

function recordComplete({ record }: Evidence, since: number): GateResult {
  const gaps = record.gaps.filter(({ until }) => until > since);
  const losses = record.losses.filter(({ at }) => at > since);
  const details = [
    ...(record.incomplete === undefined ? [] : [record.incomplete]),
    ...(record.recordedSince === undefined ? ['nothing has been recorded yet'] : []),
    ...gaps.map(({ from, until }) => `no records from ${instant(from)} to ${instant(until)}`),
    ...losses.map(({ at, reason, count }) => `${counted(count, 'record')} lost ${instant(at)}: ${reason}`),
  ];
  const wanted = `no gap and no loss since ${instant(since)}`;
  return result(
    'record-complete',
    details.length === 0,
    wanted,
    details.length === 0 ? 'none' : counted(details.length, 'doubt'),
    details,
  );
}

/** As {@link cutOffByStrict} says, but for those for whom somebody answers. */
function plainText(
  rollout: NamespaceRollout,
  step: GatedStep,
  { configured }: Evidence,
  calls: readonly ObservedCall[],
  now: number,
): GateResult {
  const found = cutOffByStrict(rollout, step, configured, calls);
  const kinds = new Map(found.calls.map(({ call, kind }) => [call, kind]));
  const entries = rollout.accepted.filter(({ kind }) => kind === 'plain-text');
  const callers = sift([...kinds.keys()], entries, now, (call) => {
    const kind = kinds.get(call);
    return kind === undefined || kind === 'unknown' ? '' : `; ${ADVICE[kind]}`;
  });
  const cluster = found.configured.map(({ text, hint }) => `${text}: ${hint}`);
  const counts = [
    ...(callers.open.length === 0 ? [] : [`${counted(callers.open.length, 'caller')} in plain text`]),
    ...(cluster.length === 0 ? [] : [counted(cluster.length, 'probe or scrape', 'probes and scrapes')]),
  ];
  return result(
    'plain-text',
    counts.length === 0,
    'no caller in plain text but accepted ones',
    counts.length === 0 ? 'none' : counts.join(', '),
    [...cluster, ...callers.details],
    callers.accepted,
  );
}

function wouldBeDenied(
  { accepted }: NamespaceRollout,
  state: RolloutState,
  step: GatedStep,
  { wouldBeDenied: judged, configured }: Evidence,
  since: number,
  concerned: (call: ObservedCall) => boolean,
  now: number,
): GateResult {
  const callers = sift(
    judged.map(({ call }) => call).filter((call) => call.lastSeen >= since && concerned(call)),
    accepted.filter(({ kind }) => kind === 'denied'),
    now,
  );
  const suggested = new Set(state.suggestion?.map(({ workload }) => workload));
  // The dry run said nothing of them, and enforcement closes them.
  const unknown = configured.workloads
    .filter(({ namespace, name }) => {
      const at = step.held[name];
      const staysBehind = at !== undefined && isBefore(at, 'enforce');
      return !staysBehind && !suggested.has(`${namespace}/${name}`) && !configured.gateways.has(name);
    })
    .map(
      ({ namespace, name }) => `${namespace}/${name} has come since the dry run was made: gatehouse rollout renew ${namespace}`,
    );
  const details = [...unknown, ...callers.details];
  return result(
    'would-be-denied',
    details.length === 0,
    'no call that would be denied but accepted ones',
    details.length === 0 ? 'none' : counted(details.length, 'finding'),
    details,
    callers.accepted,
  );
}

function agreement({ disagreements }: Evidence, since: number, concerned: (call: ObservedCall) => boolean): GateResult {
  const found = disagreements.filter(({ call }) => call.lastSeen >= since && concerned(call));
  return result(
    'agreement',
    found.length === 0,
    'Envoy and the evaluator judge every call alike',
    found.length === 0 ? 'they do' : `${counted(found.length, 'call')} judged differently`,
    found.map(({ call, shadow, evaluator }) => `${callText(call)}: Envoy says ${shadow}, the evaluator ${evaluator}`),
  );
}

function proxies({ proxies: { expected, connected, acked, behind } }: Evidence): GateResult {
  return result(
    'proxies',
    acked >= expected && behind.length === 0,
    'every proxy has accepted the policies as they are',
    `${acked} of ${expected}, ${connected} connected`,
    behind,
  );
}

function conflicts(rollout: NamespaceRollout, step: GatedStep, { configured }: Evidence): GateResult {
  const unselected = configured.workloads
    .filter((workload) => selectorOf(workload, configured.workloads) === undefined)
    .map(({ namespace, name }) => `${namespace}/${name} has no labels of its own that select it: give it one`);
  const details = [...conflictsOf(rollout, step.held, configured), ...(step.to === 'strict' ? [] : unselected)];
  return result(
    'conflicts',
    details.length === 0,
    'nothing is in the way of the rollout’s objects',
    details.length === 0 ? 'nothing' : counted(details.length, 'finding'),
    details,
  );
}

/** What is past its end still keeps its workload where it is: to close it at that moment would be an outage, so the next stage waits instead. */
function exceptions({ exceptions: written }: NamespaceRollout, { to, held }: GatedStep, now: number): GateResult {
  const ended = written.filter((one) => hasEnded(one, now) && (held[one.workload] !== undefined || isBefore(one.upTo, to)));
  return result(
    'exceptions',
    ended.length === 0,
    'no exception is past its end',
    ended.length === 0 ? 'none' : counted(ended.length, 'exception'),
    ended.map(({ workload, owner, until }) => `${workload}: ended ${instant(until)}; ask ${owner} to remove or to renew it`),
  );
}
