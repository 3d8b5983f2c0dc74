import type { AdvanceMode, Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { RolloutStatus, Transition } from '../../../policy/rollout/status.ts';

/** One namespace on its way to zero trust, as lists and the graph need it. */
export interface RolloutSummary {
  readonly namespace: string;
  /** It has a NamespaceRollout of which nothing can be told yet. */
  readonly unknown?: true;
  /** Undefined: it has no NamespaceRollout, and is only observed. */
  readonly rollout?: {
    readonly stage: Stage;
    readonly target: Stage;
    readonly advance: AdvanceMode;
    readonly paused: boolean;
    readonly since: string;
    readonly next?: Stage | undefined;
    readonly gatesMet: number;
    readonly gates: number;
    /** The first of what holds it back, and how much there is in all. */
    readonly heldBy?: string | undefined;
    readonly held: number;
    readonly armedUntil?: string | undefined;
    /** Exceptions and accepted calls whose time is over. */
    readonly expired: number;
    /** The last step was taken by the control plane, back. */
    readonly rolledBack: boolean;
  };
}

export interface RolloutList {
  /** False: this control plane runs no rollouts. */
  readonly known: boolean;
  readonly namespaces: readonly RolloutSummary[];
  readonly omitted: number;
}

/** A step in the history, without the gates where there are too many. */
export type { Transition, RolloutStatus };

export interface RolloutDetails {
  readonly namespace: string;
  readonly known: boolean;
  /** It has a NamespaceRollout of which nothing can be told yet. */
  readonly unknown?: true;
  /** Undefined: not begun. Its history is cut: `omittedHistory` counts the rest. */
  readonly status?: RolloutStatus | undefined;
  readonly omittedHistory: number;
  /** Objects that begin it, as YAML; only where it is not begun. */
  readonly begin?: string | undefined;
}

/** What the next step would write, and whom it would cut off. */
export interface RolloutPreview {
  readonly namespace: string;
  readonly next?: Stage | undefined;
  readonly changes: readonly { readonly change: 'create' | 'change' | 'delete'; readonly object: string }[];
  readonly omittedChanges: number;
  readonly cutOff: readonly CutOff[];
  readonly omittedCutOff: number;
  readonly notes: readonly string[];
}

export interface CutOff {
  readonly caller: string;
  readonly destination: string;
  readonly port?: number | undefined;
  readonly calls: number;
  readonly lastSeen: string;
  readonly why: string;
}
