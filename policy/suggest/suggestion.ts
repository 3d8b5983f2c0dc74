import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Labels } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination } from '../access/world.ts';
import type { ObservedCall } from '../observed/call.ts';

/** What a rule rests on. Times are ms since the epoch. */
export interface RuleEvidence {
  readonly calls: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Whether it is seldom used, such as by a job that runs once a week. */
  readonly rare: boolean;
}

/** One rule of an ALLOW policy: each list is one of which any element matches; an empty list does not restrict. */
export interface SuggestedRule {
  /** Without `spiffe://`, sorted. Empty only together with `ipBlocks`, and at gateways, which serve those outside. */
  readonly principals: readonly string[];
  /** Addresses and blocks of callers without an identity. */
  readonly ipBlocks: readonly string[];
  readonly ports: readonly number[];
  readonly methods: readonly string[];
  /** As AuthorizationPolicy writes them: exact, `/prefix/*`, or a template with `{*}`. */
  readonly paths: readonly string[];
  readonly evidence: RuleEvidence;
}

/**
 * One ALLOW policy. A rollout uses policies of single workloads only: each such object is complete in itself, so that it does not matter in
 * which order they are written.
 */
export interface SuggestedPolicy {
  readonly namespace: string;
  /** A name that stays the same as evidence grows. */
  readonly name: string;
  /** `NAMESPACE/NAME`; undefined: all workloads of the namespace. */
  readonly workload: string | undefined;
  /** Empty: all workloads of the namespace. */
  readonly selector: Labels;
  /** In an order that does not depend on the evidence. Empty: nobody was seen, nobody may call. */
  readonly rules: readonly SuggestedRule[];
}

/** A caller that is worth a look before it is cut or kept. `conditional`: what today's policies ask for beyond what records tell lets it in. */
export interface CallerNote {
  readonly kind: 'idle' | 'rare' | 'plain-text' | 'denied' | 'conditional';
  /** A principal without its scheme, or an address; of grants that nobody used, what the policy names. */
  readonly caller: string;
  readonly destination: string;
  readonly calls: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** In words: what is done about it and why. */
  readonly note: string;
}

export interface Suggestion {
  readonly policies: readonly SuggestedPolicy[];
  readonly notes: readonly CallerNote[];
  /**
   * Which part of the evidence was generalised, in words: beyond it nothing is allowed that was not seen. Each begins with the workload (or
   * namespace) that it is about and a colon.
   */
  readonly generalisations: readonly string[];
  /** Calls that went through and that no policy here lets in, with the reason, in words. Each begins with the workload and a colon. */
  readonly uncovered: readonly string[];
}

/** How much of a call a rule says: who (and at which port), what method, which path. */
export const DETAILS = Object.freeze(['caller', 'method', 'path'] as const);
export type Detail = (typeof DETAILS)[number];

export interface SuggestOptions {
  /** Default `path`. */
  readonly detail?: Detail;
  /** The name of a policy; undefined workload: that of a namespace. Default: `allow-to-WORKLOAD`, `allow-observed`. */
  readonly name?: (namespace: string, workload: string | undefined) => string;
  /** Which of the snapshot's policies are there to stay; the others are taken for not there, such as those that the suggestion replaces. */
  readonly isBase?: (policy: AuthorizationPolicy) => boolean;
  /** Whether rules are made of a call, or of one like it at another workload behind the same Service. Default: of all that went through. */
  readonly isLearned?: (call: ObservedCall) => boolean;
  /** Callers without an identity are let in by their addresses. Default: they are noted only. */
  readonly grantPlainText?: boolean;
  /** Who was not seen for so long is noted as idle. Default 14 days. */
  readonly idleAfterMs?: number;
  /** Since when records are kept; default: since the first call. */
  readonly observedSince?: number;
  /** More paths than this of one caller, port and method are put together. Default 40. */
  readonly mostPaths?: number;
}

export interface SuggestInput {
  readonly snapshot: Snapshot;
  /** The workloads that there are, with their ports. */
  readonly destinations: readonly Destination[];
  /** Those to other workloads count where a Service leads to both. */
  readonly calls: readonly ObservedCall[];
  /** Only for the workloads of this namespace. */
  readonly namespace?: string | undefined;
  /** One policy for each workload, or one for each namespace. */
  readonly by: 'workload' | 'namespace';
  /** ms since the epoch. */
  readonly now: number;
  readonly options?: SuggestOptions;
}
