import type { Meta } from './object.ts';

/** How far a namespace is on its way to zero trust, in order. */
export const STAGES = Object.freeze(['observe', 'strict', 'dry-run', 'enforce'] as const);
export type Stage = (typeof STAGES)[number];

/** Who takes the next step once its gates are open: the control plane, a person, or nobody (objects are proposed and never written). */
export const ADVANCE_MODES = Object.freeze(['Automatic', 'Manual', 'Propose'] as const);
export type AdvanceMode = (typeof ADVANCE_MODES)[number];

/** What must have been seen before a stage is entered. */
export interface Gate {
  /** For so long records must be complete; for `enforce` counted from when the dry run began, or was changed last. */
  readonly observedForMs: number;
  /** So many calls to the namespace within that time. */
  readonly requests: number;
}

/** What somebody answers for. Without an owner and an end nothing is accepted. Times are ms since the epoch. */
interface Answered {
  readonly owner: string;
  readonly reason: string;
  readonly until: number;
}

/** Calls that do not hold a gate back although they will be refused. All that is given must hold. */
export interface AcceptedCalls extends Answered {
  readonly kind: 'plain-text' | 'denied';
  readonly from: {
    /** Without its scheme; `*` at one end. */
    readonly principal: string | undefined;
    readonly namespace: string | undefined;
    /** An address or CIDR block. */
    readonly ipBlock: string | undefined;
  };
  readonly to: {
    /** A workload of the namespace. */
    readonly workload: string | undefined;
    readonly port: number | undefined;
    /** As AuthorizationPolicy writes them; one of them. Absent: any, and connections over TCP. */
    readonly methods?: readonly string[];
    /** The same; `{id}`, `{rest}` and `{other}` as records have them stand for themselves. */
    readonly paths?: readonly string[];
  };
}

/** A workload that goes no further than a stage, for a time. */
export interface WorkloadException extends Answered {
  readonly workload: string;
  readonly upTo: Stage;
}

export interface RollbackRule {
  /** So many denied calls of callers that were let through before take the namespace back; 0: never automatically. */
  readonly denials: number;
  /** Counted for so long after each change of what is enforced. */
  readonly withinMs: number;
}

/** Our own kind: the way of one namespace from observing to enforcing. One for each namespace: the oldest counts. */
export interface NamespaceRollout {
  readonly meta: Meta;
  readonly target: Stage;
  readonly advance: AdvanceMode;
  readonly paused: boolean;
  readonly gates: Readonly<Record<Exclude<Stage, 'observe'>, Gate>>;
  readonly accepted: readonly AcceptedCalls[];
  readonly exceptions: readonly WorkloadException[];
  readonly rollback: RollbackRule;
}
