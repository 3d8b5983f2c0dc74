import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import type { RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { ObservedCall } from '../observed/call.ts';

/*
 * What a rollout's decisions rest on, as plain values: whoever keeps records, proxies and configuration makes them. Times are ms since the epoch.
 */

/** How far the records can be relied on. */
export interface RecordCoverage {
  /** Since when there are records; undefined: none yet. */
  readonly recordedSince: number | undefined;
  /** Times for which records are missing. */
  readonly gaps: readonly { readonly from: number; readonly until: number }[];
  /** Records that came and were lost. */
  readonly losses: readonly { readonly at: number; readonly reason: string; readonly count: number }[];
  /** Why the store has not all there is, such as replicas that do not share it, or that it cannot be reached; undefined: it has. */
  readonly incomplete: string | undefined;
}

/** A call that was let through and that enforcement would refuse, as policies judge it together. */
export interface WouldBeDenied {
  readonly call: ObservedCall;
  /** `NAMESPACE/NAME` of the DENY policy; undefined: no rule of an ALLOW policy matches. */
  readonly policy: string | undefined;
}

/** Envoy's shadow rules and the evaluator judge the same call differently: one of them is wrong, so neither proves anything. */
export interface Disagreement {
  readonly call: ObservedCall;
  readonly shadow: 'ALLOW' | 'DENY';
  readonly evaluator: 'ALLOW' | 'DENY';
}

/** A call that was refused since rollback was armed. */
export interface DeniedCall {
  readonly call: ObservedCall;
  /** `NAMESPACE/NAME` of the policy that refused it, where one did and it is known. */
  readonly policy: string | undefined;
  /** Its certificate was revoked, so it is meant to be refused. */
  readonly revoked: boolean;
}

/** The proxies of the namespace's workloads. */
export interface ProxiesSeen {
  readonly expected: number;
  readonly connected: number;
  /** Those that have accepted the policies as they are configured now. */
  readonly acked: number;
  /** The others, in words: `reviews-1.bookinfo has not answered yet`. */
  readonly behind: readonly string[];
}

/** What is configured that concerns the namespace. */
export interface Configured {
  /** When this configuration was seen first. */
  readonly since: number;
  /** All of it. */
  readonly snapshot: Snapshot;
  /** Of the namespace and of the root namespace, the rollout's own too. */
  readonly authorizationPolicies: readonly AuthorizationPolicy[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly requestAuthentications: readonly RequestAuthentication[];
  readonly rootNamespace: string;
  /** Of the namespace. */
  readonly workloads: readonly Workload[];
  /** Names of those that a Gateway selects: they serve callers from outside of the mesh. */
  readonly gateways: ReadonlySet<string>;
}

export interface Evidence {
  readonly at: number;
  readonly record: RecordCoverage;
  /** Calls that arrived at workloads of the namespace within {@link windowOf}. */
  readonly calls: readonly ObservedCall[];
  /** Within {@link judgedSince}. */
  readonly wouldBeDenied: readonly WouldBeDenied[];
  /** Within {@link judgedSince}. */
  readonly disagreements: readonly Disagreement[];
  /** Since rollback was armed; empty where it is not. */
  readonly deniedSince: readonly DeniedCall[];
  readonly proxies: ProxiesSeen;
  readonly configured: Configured;
}
