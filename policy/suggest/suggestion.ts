import type { Labels } from '../../mesh/model/object.ts';

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
  /** Without `spiffe://`, sorted. Empty only together with `plainText`. */
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

/** A caller that is worth a look before it is cut or kept. */
export interface CallerNote {
  readonly kind: 'idle' | 'rare' | 'plain-text' | 'denied';
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
  /** Which part of the evidence was generalised, in words: beyond it nothing is allowed that was not seen. */
  readonly generalisations: readonly string[];
}
