import type { LossReason } from '../model/loss.ts';
import type { AccessRecord } from '../model/record.ts';

/** Where intake puts records. */
export interface Sink {
  /** Resolves when there is room for more; a stream reads its next message only then. Never rejects. */
  accept(records: readonly AccessRecord[]): Promise<void>;
  /** Counts records that could not even become one. */
  lose(reason: LossReason, count: number): void;
}
