import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { RolloutStatus } from '../../../policy/rollout/status.ts';
import type { CutOff, RolloutDetails, RolloutList, RolloutPreview, RolloutSummary } from '../api/rollout.ts';
import { maySee, type Viewer } from './viewer.ts';

/** Whoever runs the rollouts, as far as the page asks: it gives no orders. */
export interface RolloutSource {
  statuses(): Promise<readonly RolloutStatus[]>;
  /** Undefined: the namespace has no NamespaceRollout, or nothing is known of it yet. */
  status(namespace: string): Promise<RolloutStatus | undefined>;
  /** Namespaces that have a NamespaceRollout; where it is absent those that have a status. */
  begun?(): ReadonlySet<string>;
  /** What the next step would be; of a namespace without a NamespaceRollout, what the first one would. */
  plan(
    namespace: string,
  ): Promise<{ readonly ok: true; readonly plan: PlannedStep } | { readonly ok: false; readonly error: string }>;
}

interface PlannedStep {
  readonly status: RolloutStatus;
  readonly changes: RolloutPreview['changes'];
  readonly cutOff: readonly (Omit<CutOff, 'port'> & { readonly port: number | undefined })[];
  readonly notes: readonly string[];
}

const MOST_NAMESPACES = 10_000;
const MOST_HISTORY = 100;
const MOST_PLANNED = 500;
const KEPT_MS = 1_000;
const PLAN_KEPT_MS = 5_000;

/** Asked of the controller at most once a second, however many look on; plans, which cost it more, one at a time. */
export function kept(source: RolloutSource, now: () => number = () => performance.now()): RolloutSource {
  const plans = new Map<string, { readonly at: number; readonly answer: ReturnType<RolloutSource['plan']> }>();
  let turn: Promise<unknown> = Promise.resolve();
  let known: { readonly at: number; readonly answer: Promise<readonly RolloutStatus[]> } | undefined;
  return {
    statuses() {
      if (known === undefined || now() - known.at >= KEPT_MS) {
        const asked = { at: now(), answer: source.statuses() };
        known = asked;
        asked.answer.catch(() => {
          if (known === asked) known = undefined;
        });
      }
      return known.answer;
    },
    status: (namespace) => source.status(namespace),
    begun: () => source.begun?.() ?? new Set(),
    plan(namespace) {
      for (const [name, { at }] of plans) if (now() - at >= PLAN_KEPT_MS) plans.delete(name);
      const last = plans.get(namespace);
      if (last !== undefined) return last.answer;
      const answer = turn.then(() => source.plan(namespace));
      turn = answer.catch(() => {});
      plans.set(namespace, { at: now(), answer });
      return answer;
    },
  };
}

/** Changes when a browser should ask again: not each time that evidence grew by a minute. */
export function rolloutsVersion(statuses: readonly RolloutStatus[]): string {
  return statuses
    .map(({ namespace, stage, target, paused, gates, heldBy, rollbackArmedUntil, history, exceptions, accepted }) =>
      [
        namespace,
        stage,
        target,
        paused,
        gates.map(({ met }) => (met ? 'y' : 'n')).join(''),
        heldBy.length,
        rollbackArmedUntil ?? '',
        history[0]?.number ?? 0,
        exceptions.length,
        accepted.length,
      ].join(),
    )
    .join(';');
}

/** Namespaces with workloads: those that a rollout can be about. Policies of the root namespace are the whole mesh's: it has none. */
function namespacesOf({ workloads, meshConfig }: Snapshot): ReadonlySet<string> {
  const names = new Set(workloads.map(({ namespace }) => namespace));
  names.delete(meshConfig.rootNamespace);
  return names;
}

function summaryOf(status: RolloutStatus): RolloutSummary {
  const { namespace, stage, target, advance, paused, since, next, gates, heldBy, rollbackArmedUntil, history } = status;
  const expired = [...status.exceptions, ...status.accepted].filter((one) => one.expired).length;
  return {
    namespace,
    rollout: {
      stage,
      target,
      advance,
      paused,
      since,
      next,
      gatesMet: gates.filter(({ met }) => met).length,
      gates: gates.length,
      heldBy: heldBy[0],
      held: heldBy.length,
      armedUntil: rollbackArmedUntil,
      expired,
      rolledBack: history[0]?.cause === 'rollback-automatic',
    },
  };
}

/** All namespaces that are for this viewer, by name. */
export async function rolloutListOf(source: RolloutSource | undefined, snapshot: Snapshot, viewer: Viewer): Promise<RolloutList> {
  const statuses = new Map((await source?.statuses())?.map((status) => [status.namespace, status]));
  const begun = source?.begun?.() ?? new Set();
  const names = [...new Set([...namespacesOf(snapshot), ...begun, ...statuses.keys()])]
    .filter((name) => maySee(viewer, name))
    .sort();
  return {
    known: source !== undefined,
    namespaces: names.slice(0, MOST_NAMESPACES).map((namespace) => {
      const status = statuses.get(namespace);
      if (status !== undefined) return summaryOf(status);
      return begun.has(namespace) ? { namespace, unknown: true } : { namespace };
    }),
    omitted: Math.max(0, names.length - MOST_NAMESPACES),
  };
}

/** As YAML, for `gatehouse apply` and for git: everything else has defaults. */
function beginning(namespace: string): string {
  return `apiVersion: gatehouse.dev/v1alpha1
kind: NamespaceRollout
metadata:
  name: rollout
  namespace: ${namespace}
spec:
  target: enforce
`;
}

/** Undefined where there is no such namespace for this viewer. */
export async function rolloutDetailsOf(
  source: RolloutSource | undefined,
  namespace: string,
  snapshot: Snapshot,
  viewer: Viewer,
): Promise<RolloutDetails | undefined> {
  if (!maySee(viewer, namespace)) return undefined;
  const status = await source?.status(namespace);
  if (status !== undefined)
    return {
      namespace,
      known: true,
      status: { ...status, history: status.history.slice(0, MOST_HISTORY) },
      omittedHistory: Math.max(0, status.history.length - MOST_HISTORY),
    };
  if (source?.begun?.().has(namespace) === true) return { namespace, known: true, unknown: true, omittedHistory: 0 };
  // Only names of namespaces that there are get into the object.
  if (!namespacesOf(snapshot).has(namespace)) return undefined;
  return { namespace, known: source !== undefined, omittedHistory: 0, begin: beginning(namespace) };
}

/**
 * Undefined where there is no such namespace for this viewer.
 * @throws Error when it cannot be told now
 */
export async function rolloutPreviewOf(
  source: RolloutSource | undefined,
  namespace: string,
  snapshot: Snapshot,
  viewer: Viewer,
): Promise<RolloutPreview | undefined> {
  if (source === undefined || !maySee(viewer, namespace)) return undefined;
  if (!namespacesOf(snapshot).has(namespace) && (await source.status(namespace)) === undefined) return undefined;
  const answer = await source.plan(namespace);
  if (!answer.ok) throw new Error(answer.error);
  const { status, changes, cutOff, notes } = answer.plan;
  return {
    namespace,
    next: status.next,
    changes: changes.slice(0, MOST_PLANNED),
    omittedChanges: Math.max(0, changes.length - MOST_PLANNED),
    cutOff: cutOff.slice(0, MOST_PLANNED),
    omittedCutOff: Math.max(0, cutOff.length - MOST_PLANNED),
    notes: notes.slice(0, MOST_PLANNED),
  };
}
