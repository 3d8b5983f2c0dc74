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

/**
 * A time in which nothing was recorded, since no writer was there; ms since the epoch. What proxies reported then is not in
 * the store. `killed`: the writer before it ended without closing, so what waited in its memory at `from` is missing, too.
 */
export interface Gap {
  readonly from: number;
  readonly until: number;
  readonly killed: boolean;
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
