import type { StoreFilter } from '../model/edge-filter.ts';
import type { Edge, EdgeKey, Tally } from '../model/edge.ts';
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
  /** Whether the writer has heard of proxies that send without an agent: what they say while nobody is there is lost. Absent: yes. */
  readonly direct?: boolean;
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
 * A time in which no writer was there; ms since the epoch. What proxies without an agent reported then is not in the store; where there were
 * no such proxies there is no gap. `killed`: the writer before it ended without closing, so what waited in its memory at `from` is missing, too.
 */
export interface Gap {
  readonly from: number;
  readonly until: number;
  readonly killed: boolean;
}

/** How finely time is kept: calls are counted by minute, and older ones only by hour, then by day (UTC). */
export type Level = 'minute' | 'hour' | 'day';

/** A period counts each minute (hour, day) that has calls in it; which of them, at either end. */
export interface Precision {
  readonly from: Level;
  readonly until: Level;
}

/** What a store knows of a period. */
export interface Observed {
  /** One for each key, in no order, added up over the period; `minute` is that of the first call. */
  readonly edges: readonly Edge[];
  readonly losses: readonly Loss[];
  readonly gaps: readonly Gap[];
  /** Absent as `minute`. */
  readonly precision?: Precision;
  /** What was before this is no longer kept; ms since the epoch. */
  readonly forgottenBefore?: number | undefined;
  /** When the first writer that is known of began; absent: none did. */
  readonly recordedSince?: number | undefined;
}

export interface Question extends Period {
  /** Applies to edges only: losses and gaps are the whole mesh's. */
  readonly filter?: StoreFilter | undefined;
  /** Whether edges come with the certificates of their calls: of an hour (a day, where time is kept no finer) that the period cuts, with all of it. */
  readonly certificates?: boolean;
  /** Whether tallies come with how many calls took how long: reading it takes as long as all else. Absent: they have `NO_LATENCIES`. */
  readonly latencies?: boolean;
}

/** Numbers of calls, as the totals of a report have them. */
export interface Counts {
  readonly calls: number;
  /** Arrived, and was not denied. */
  readonly allowed: number;
  readonly denied: number;
  readonly wouldBeDenied: number;
  readonly plainText: number;
  readonly unreached: number;
}

/** A step of time that has calls. `spanMs` is longer than was asked for where time is no longer kept as finely. */
export interface Step {
  readonly at: number;
  readonly spanMs: number;
}

export interface CountPoint extends Step, Counts {}

export interface TallyPoint extends Step {
  readonly tally: Tally;
}

export interface StoreReader {
  query(question: Question): Promise<Observed>;
  close(): Promise<void>;
}

/** Asks of a store by time. `stepMs`: whole minutes; steps are counted from the epoch, so that they stay where they are. */
export interface HistoryReader extends StoreReader {
  /** What a time slider shows: calls of each step, in order; steps without calls are left out. */
  series(question: Question & { readonly stepMs: number }): Promise<readonly CountPoint[]>;
  /** One edge by its `edgeId`; undefined when the store does not know it. */
  edgeSeries(question: Period & { readonly edge: string; readonly stepMs: number }): Promise<EdgeHistory | undefined>;
}

export interface EdgeHistory {
  readonly key: EdgeKey;
  readonly points: readonly TallyPoint[];
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
