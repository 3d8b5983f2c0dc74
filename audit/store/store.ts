import type { Edge } from '../model/edge.ts';
import type { Loss } from '../model/loss.ts';

export interface Batch {
  readonly edges: readonly Edge[];
  readonly losses: readonly Loss[];
}

/** A period, ms since the epoch: from `since`, before `until`. */
export interface Period {
  readonly since: number | undefined;
  readonly until: number | undefined;
}

/** A writer that ended without closing: what waited in its memory after `lastWrite` is not in the store. */
export interface Gap {
  readonly started: number;
  readonly lastWrite: number;
}

/** What a store knows of a period. Edges are those whose minute has calls in it, in no order. */
export interface Observed {
  readonly edges: readonly Edge[];
  readonly losses: readonly Loss[];
  readonly gaps: readonly Gap[];
}

export interface StoreReader {
  query(period: Period): Promise<Observed>;
  close(): Promise<void>;
}

/** Where edges are kept. Any number of readers, one writer per replica. */
export interface Store extends StoreReader {
  /**
   * Adds a batch: all of it or, when it rejects, nothing. When it resolves the batch survives the death of the process;
   * what it survives beyond that (power loss) each store states.
   */
  append(batch: Batch): Promise<void>;
}
