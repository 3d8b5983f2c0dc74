import type { Line } from '../../report/report.ts';
import type { Missing, SeriesStep } from '../api/graph.ts';
import type { Ends, OwnDomains } from './ends.ts';
import type { ClosedPeriod } from './period.ts';
import type { Viewer } from './viewer.ts';

/** A line of the store with the nodes that it joins. */
export interface ObservedLine extends Pick<Line, 'key' | 'tally' | 'certificates'> {
  readonly ends: Ends;
}

export interface Observation {
  readonly lines: readonly ObservedLine[];
  readonly missing: Missing;
}

/** What the page asks of the store, whichever it is. */
export interface Records {
  /** All lines of a period, each once. */
  between(period: ClosedPeriod, own: OwnDomains): Promise<Observation>;
  /** These lines of one edge, with how many of their calls took how long and with which certificates they were made. */
  detailed(lines: readonly ObservedLine[], period: ClosedPeriod): Promise<readonly ObservedLine[]>;
  /** Calls that a viewer may see, in steps. */
  series(period: ClosedPeriod, stepMs: number, viewer: Viewer, own: OwnDomains): Promise<readonly SeriesStep[]>;
  /** Calls of these lines, in steps. */
  history(lines: readonly ObservedLine[], period: ClosedPeriod, stepMs: number): Promise<readonly SeriesStep[]>;
  /** Another text when there may be more to read. */
  version(): Promise<string>;
}
