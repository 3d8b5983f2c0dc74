import type { Line } from '../../report/report.ts';
import type { Period } from '../../store/store.ts';
import type { Missing, SeriesStep } from '../api/graph.ts';
import { type Ends, type OwnDomains } from './ends.ts';

/** A line of the store with the nodes that it joins. */
export interface ObservedLine extends Line {
  readonly ends: Ends;
}

export interface Observation {
  readonly lines: readonly ObservedLine[];
  readonly missing: Missing;
}

/** Which calls a series counts. */
export type Which = (ends: Ends) => boolean;

/** What the page asks of the store, whichever it is. */
export interface Records {
  /** All lines of a period, each once. */
  between(period: Required<Period>, own: OwnDomains): Promise<Observation>;
  /** Calls in steps of `stepMs` from `since` on. */
  series(since: number, until: number, stepMs: number, own: OwnDomains, which: Which): Promise<readonly SeriesStep[]>;
  /** Another text when there may be more to read. */
  version(): Promise<string>;
}
