import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { ObservedCall } from '../observed/call.ts';
import type { RolloutStatus, Transition } from './status.ts';
import type { SuggestedPolicy } from '../suggest/suggestion.ts';

/*
 * What a rollout's controller stands on. Files and clusters implement these; the controller knows neither. Times are ms since the epoch.
 */

/** An ordinary Istio object as it is written, without anything that a server adds. */
export interface RolloutObject {
  readonly apiVersion: string;
  readonly kind: 'PeerAuthentication' | 'AuthorizationPolicy';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A policy of somebody else, that a rollback sets to `istio.io/dry-run: "true"`. */
export interface ForeignPolicy {
  readonly namespace: string;
  readonly name: string;
}

/** A transition that was decided and perhaps not done: kept before the objects are touched, so that a restart finishes it. */
export interface Intent {
  readonly transition: Transition;
  /** All objects of the stage that is entered; what else is labelled as the rollout's goes. */
  readonly objects: readonly RolloutObject[];
  readonly dryRun: readonly ForeignPolicy[];
}

/** All that is kept of one namespace's rollout. JSON values only. */
export interface RolloutRecord {
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
  /** Paused by command; the object's own `paused` counts as well. */
  readonly paused: { readonly by: string; readonly reason: string; readonly at: number } | undefined;
  /** Rollback is armed since the last change of what is enforced. */
  readonly armed: { readonly since: number; readonly until: number; readonly why: string } | undefined;
  readonly intent: Intent | undefined;
  /** The oldest first; all of it. */
  readonly history: readonly Transition[];
}

/** Where records are kept. A save that resolves survives the death of the process (files: also of the machine). */
export interface RolloutStates {
  /** Undefined: none. @throws Error when it cannot be read, which is not the same */
  load(namespace: string): Promise<RolloutRecord | undefined>;
  /** @throws Error when it is not kept, with what to do */
  save(record: RolloutRecord): Promise<void>;
}

/** Where the objects of a stage are written. */
export interface RolloutObjects {
  /** Makes a namespace have exactly these of the rollout's objects. Repeatable: done twice it is as done once. @throws Error with what to do */
  write(rollout: string, namespace: string, objects: readonly RolloutObject[]): Promise<void>;
  /** `KIND NAMESPACE/NAME` of what is not there as it was written, and of what has the rollout's label and was not; empty: as it should be. */
  drift(rollout: string, namespace: string, objects: readonly RolloutObject[]): Promise<readonly string[]>;
  /** Sets policies of others to dry-run. Answers with those that it could not, and why; the others are. */
  setDryRun(policies: readonly ForeignPolicy[]): Promise<readonly { readonly policy: ForeignPolicy; readonly reason: string }[]>;
}

/** What the audit store has of calls to a namespace. */
export interface RecordedCalls {
  readonly calls: readonly ObservedCall[];
  /** Times for which records are missing. */
  readonly gaps: readonly { readonly from: number; readonly until: number }[];
  /** Records lost in the period. */
  readonly losses: readonly { readonly at: number; readonly reason: string; readonly count: number }[];
  /** Since when there are records; undefined: none yet. */
  readonly recordedSince: number | undefined;
}

export interface RolloutEvidence {
  /** Calls that arrived at workloads of the namespace. Rejects when the store cannot be reached: doubt holds. */
  calls(namespace: string, period: { readonly since: number; readonly until: number }): Promise<RecordedCalls>;
  /** Why the store has not all there is, such as replicas that do not share it; undefined: it does. */
  incomplete(): string | undefined;
}

/** Who of the namespace's proxies has not accepted its policies as they are configured now. */
export interface ProxiesSeen {
  readonly total: number;
  /** In words: `reviews-1.bookinfo has not answered yet`. */
  readonly behind: readonly string[];
}

export interface RolloutProxies {
  /** @param objects `KIND NAMESPACE/NAME` of what must have been accepted, beside all other policies of the namespace */
  seen(namespace: string, objects: readonly string[]): Promise<ProxiesSeen>;
}

export interface Timers {
  /** Runs once after so long; the answer cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** Everything around the controller. */
export interface RolloutSurroundings {
  readonly snapshot: () => Snapshot;
  readonly rollouts: () => readonly NamespaceRollout[];
  readonly states: RolloutStates;
  readonly objects: RolloutObjects;
  readonly evidence: RolloutEvidence;
  readonly proxies: RolloutProxies;
  /** Whether this replica decides and writes; others only answer. */
  readonly isLeader: () => boolean;
  /** Told of each status that changed, such as to write it into the object; it must not throw, and is not waited for. */
  readonly onStatus?: (rollout: NamespaceRollout, status: RolloutStatus) => void;
  readonly clock: () => Date;
  readonly timers: Timers;
}

/** What somebody orders. `by` is who: a user name, or whom the API server authenticated. */
export type RolloutOrder =
  | { readonly kind: 'advance'; readonly by: string; readonly reason: string; readonly to?: Stage; readonly force: boolean }
  | { readonly kind: 'rollback'; readonly by: string; readonly reason: string; readonly to?: Stage }
  | { readonly kind: 'pause' | 'resume' | 'renew'; readonly by: string; readonly reason: string };

export type OrderAnswer =
  | { readonly ok: true; readonly status: RolloutStatus }
  /** `heldBy` is what is in the way, in words. */
  | { readonly ok: false; readonly error: string; readonly heldBy: readonly string[] };

/** What the next stage would be. */
export interface RolloutPlan {
  readonly status: RolloutStatus;
  /** The NamespaceRollout to begin with; undefined where there is one. */
  readonly begin: Readonly<Record<string, unknown>> | undefined;
  /** All objects of the next stage (of the present one where there is no next); to be committed where nothing is written. */
  readonly objects: readonly RolloutObject[];
  /** How they differ from what there is: `create`, `change`, `delete`, with the name. */
  readonly changes: readonly { readonly change: 'create' | 'change' | 'delete'; readonly object: string }[];
  /** Callers that would be cut off, most calls first. */
  readonly cutOff: readonly {
    readonly caller: string;
    readonly destination: string;
    readonly port: number | undefined;
    readonly calls: number;
    readonly lastSeen: string;
    readonly why: string;
  }[];
  /** To be known before: idle and rare callers, gateways that are opened, generalisations. */
  readonly notes: readonly string[];
}

export type PlanAnswer = { readonly ok: true; readonly plan: RolloutPlan } | { readonly ok: false; readonly error: string };

/** The running controller. */
export interface Rollouts {
  statuses(): Promise<readonly RolloutStatus[]>;
  /** Undefined: the namespace has no NamespaceRollout. */
  status(namespace: string): Promise<RolloutStatus | undefined>;
  /** Of a namespace without a NamespaceRollout as well: with the defaults, and with the object that would begin it. */
  plan(namespace: string): Promise<PlanAnswer>;
  order(namespace: string, order: RolloutOrder): Promise<OrderAnswer>;
  /** To be told of each snapshot that is published. */
  changed(snapshot: Snapshot): void;
  close(): Promise<void>;
}
