import type { AdvanceMode, Stage } from '../../mesh/model/namespace-rollout.ts';

/** What a gate looks at. */
export const GATE_KINDS = Object.freeze([
  'observed-for',
  'requests',
  'record-complete',
  'plain-text',
  'would-be-denied',
  'agreement',
  'proxies',
  'conflicts',
  'exceptions',
] as const);
export type GateKind = (typeof GATE_KINDS)[number];

/** One gate before the next stage, with the evidence in words. */
export interface GateResult {
  readonly gate: GateKind;
  readonly met: boolean;
  /** As `168h of complete records`. */
  readonly wanted: string;
  /** As `93h, since 2026-11-18T03:00:00Z`. */
  readonly found: string;
  /** What holds it back, the most important first; the first few only. */
  readonly details: readonly string[];
  readonly omittedDetails: number;
  /** How many findings are on the accepted list. */
  readonly accepted: number;
}

export type TransitionCause =
  | 'command'
  | 'automatic'
  | 'rollback-command'
  | 'rollback-automatic'
  | 'suggestion-renewed'
  /** An exception came, went or ended: the stage is the same, workloads of it are not. */
  | 'exceptions'
  /** Proposed only: somebody else wrote the objects of another stage. */
  | 'noticed';

/** A step that was taken, and what it rested on. Kept for ever. The time is ISO 8601, UTC, with milliseconds. */
export interface Transition {
  /** Counts from 1 within a namespace. */
  readonly number: number;
  readonly at: string;
  readonly from: Stage;
  readonly to: Stage;
  readonly cause: TransitionCause;
  /** Who ordered it; `gatehouse` for what it did on its own. */
  readonly by: string;
  readonly reason: string;
  /** The gates as they were then; those that were overridden are not met. */
  readonly gates: readonly GateResult[];
  /** `KIND NAMESPACE/NAME` of what was written. */
  readonly objects: readonly string[];
}

/** The state of one rollout, as `gatehouse rollout status -o json`, the page and the object's status show it. Times are ISO 8601, UTC. */
export interface RolloutStatus {
  readonly namespace: string;
  /** The NamespaceRollout's name. */
  readonly name: string;
  readonly stage: Stage;
  readonly target: Stage;
  readonly advance: AdvanceMode;
  readonly paused: boolean;
  /** When the stage was entered. */
  readonly since: string;
  /** Undefined at the target. */
  readonly next: Stage | undefined;
  /** Before the next stage; empty at the target. */
  readonly gates: readonly GateResult[];
  /** In words, one for each gate that is not met, and for a pause; empty: the next step can be taken. At the target: what is not as the stage says. */
  readonly heldBy: readonly string[];
  /** The command that takes the next step. */
  readonly command: string | undefined;
  readonly exceptions: readonly {
    readonly workload: string;
    readonly upTo: Stage;
    readonly owner: string;
    readonly until: string;
    readonly expired: boolean;
  }[];
  readonly accepted: readonly {
    readonly text: string;
    readonly owner: string;
    readonly until: string;
    readonly expired: boolean;
    readonly calls: number;
  }[];
  /** Until when denials take it back automatically; undefined: they do not now. */
  readonly rollbackArmedUntil: string | undefined;
  /** The latest first; the object's status has the first few only. */
  readonly history: readonly Transition[];
}
