import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { ObservedCall } from '../observed/call.ts';
import type { ProxiesSeen, RecordCoverage } from './evidence.ts';
import type { RolloutOrder } from './machine.ts';
import type { RolloutObject } from './objects.ts';
import type { RolloutPlan } from './plan.ts';
import type { ForeignPolicy, RolloutState } from './state.ts';
import type { RolloutStatus } from './status.ts';

export type { ProxiesSeen } from './evidence.ts';
export type { RolloutOrder } from './machine.ts';
export type { RolloutObject } from './objects.ts';
export type { RolloutPlan } from './plan.ts';
export type { ForeignPolicy, Intent, RolloutState } from './state.ts';

/*
 * What a rollout's controller stands on. Files and clusters implement these; the controller knows neither. Times are ms since the epoch.
 */

/** Where records are kept. A save that resolves survives the death of the process (files: also of the machine). */
export interface RolloutStates {
  /** Undefined: none. @throws Error when it cannot be read, which is not the same */
  load(namespace: string): Promise<RolloutState | undefined>;
  /** @throws Error when it is not kept, with what to do */
  save(record: RolloutState): Promise<void>;
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
export interface RecordedCalls extends Omit<RecordCoverage, 'incomplete'> {
  readonly calls: readonly ObservedCall[];
}

export interface RolloutEvidence {
  /** Calls that arrived at workloads of the namespace. Rejects when the store cannot be reached: doubt holds. */
  calls(namespace: string, period: { readonly since: number; readonly until: number }): Promise<RecordedCalls>;
  /** As `calls`, with on how many days there were such: a question for each day, so for plans, not for each look. */
  callsByDay(namespace: string, period: { readonly since: number; readonly until: number }): Promise<RecordedCalls>;
  /** Calls that were denied; as `calls`, but quick enough to be asked each second. */
  denied(namespace: string, since: number): Promise<readonly ObservedCall[]>;
  /** Why the store has not all there is, such as replicas that do not share it; undefined: it does. */
  incomplete(): string | undefined;
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
  /** Whether this replica decides about a namespace, and writes; others only answer. */
  readonly isLeader: (namespace: string) => boolean;
  /** Whether an identity was cut off: its calls are meant to be refused. */
  readonly isRevoked: (principal: string) => boolean;
  /** Told of each status that changed, such as to write it into the object; it must not throw, and is not waited for. */
  readonly onStatus?: (rollout: NamespaceRollout, status: RolloutStatus) => void;
  readonly clock: () => Date;
  readonly timers: Timers;
}

export type OrderAnswer =
  | { readonly ok: true; readonly status: RolloutStatus }
  /** `heldBy` is what is in the way, in words. */
  | { readonly ok: false; readonly error: string; readonly heldBy: readonly string[] };

/** A plan, with the NamespaceRollout to begin with where there is none. */
export type PlanToBegin = RolloutPlan & { readonly begin: Readonly<Record<string, unknown>> | undefined };

export type PlanAnswer = { readonly ok: true; readonly plan: PlanToBegin } | { readonly ok: false; readonly error: string };

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
