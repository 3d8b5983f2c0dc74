import type { Verdict } from '../model/record.ts';

export const ALERT_KINDS = Object.freeze(['new-edge', 'plain-text', 'denial-spike', 'rollout-rollback'] as const);

/** One end, in words that are no longer evidence: `principal` was proven when it was seen. */
export interface Named {
  readonly principal: string | null;
  /** `NAMESPACE/NAME`. */
  readonly workload: string | null;
  readonly service?: string | null;
  readonly port?: number | null;
}

/** A rollout that was taken back without anybody's order. */
export interface Rollback {
  readonly namespace: string;
  /** Of the namespace's steps. */
  readonly number: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** `KIND NAMESPACE/NAME` of what was written. */
  readonly objects: readonly string[];
}

interface Common {
  /** The same happening has the same id, whoever tells it: receivers may drop what they have. */
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  /** One line for people. */
  readonly summary: string;
  /** How many alerts were not made since the one before, because there were too many at once. */
  readonly suppressed: number;
}

export type Alert = Common &
  (
    | {
        readonly kind: 'new-edge';
        readonly source: Named;
        readonly destination: Named;
        readonly mtls: boolean;
        readonly verdict: Verdict['kind'];
      }
    | {
        readonly kind: 'plain-text';
        readonly source: Named & { readonly address: string | null };
        readonly destination: Named;
        /** Why its destination is to be strict. */
        readonly because: string;
        readonly verdict: Verdict['kind'];
      }
    | {
        readonly kind: 'denial-spike';
        readonly destination: Named;
        readonly denied: number;
        /** In one window, on average. */
        readonly usual: number;
        readonly windowSeconds: number;
        /** Who was denied most in this window, most first. */
        readonly callers: readonly { readonly source: string; readonly denied: number }[];
      }
    | ({ readonly kind: 'rollout-rollback' } & Rollback)
  );

/** An alert without what the engine adds to every one. */
export type Found = Alert extends infer Each
  ? Each extends Alert
    ? Omit<Each, 'id' | 'at' | 'suppressed'> & { readonly key: string }
    : never
  : never;
