import type { Edge } from '../model/edge.ts';
import type { Loss } from '../model/loss.ts';

/**
 * How far an agent's log was taken: what the batch holds of `source` (one run of one agent) are its messages after sequence `after` up to
 * `upTo`. Sequences grow, and may leave some out.
 */
export interface Receipt {
  readonly source: string;
  /** 0: none before. */
  readonly after: number;
  readonly upTo: number;
}

export interface Batch {
  readonly edges: readonly Edge[];
  readonly losses: readonly Loss[];
  /** At most one for each source; absent as empty. */
  readonly receipts?: readonly Receipt[];
}

/** A batch was not taken: the store's sequence for these sources is not what the batch goes on from. Somebody else wrote theirs. */
export class StaleReceipt extends Error {
  readonly sources: readonly string[];

  constructor(sources: readonly string[]) {
    super(`the audit store goes on from other sequences of ${sources.length} sources`);
    this.sources = sources;
  }
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
   * what it survives beyond that (power loss) each store states. Receipts are kept in the same transaction. Rejects with StaleReceipt,
   * naming all such sources, when for some the sequence in the store is not `after` (a source that is not there is at 0).
   */
  append(batch: Batch): Promise<void>;
  /** The sequence up to which the messages of a source are in the store; 0: none is. */
  received(source: string): Promise<number>;
}
