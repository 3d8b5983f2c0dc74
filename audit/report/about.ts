import { LOSS_REASONS } from '../model/loss.ts';
import type { Fact } from '../document/document.ts';
import type { Gap, Period } from '../store/store.ts';
import { filterText } from './filter.ts';
import type { Report } from './report.ts';

/** Who makes a document and of what. */
export interface Author {
  readonly preparedBy: string;
  /** The version of gatehouse. */
  readonly version: string;
  /** What was read: a file, a database without its password. */
  readonly store: string;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function periodText({ since, until }: Period, generatedAt: Date): string {
  return `from ${since === undefined ? 'the beginning' : iso(since)} to ${(until === undefined ? generatedAt : new Date(until)).toISOString()}`;
}

const SHOWN_GAPS = 5;

/** A length of time in its two largest units. */
export function lengthText(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ] as const;
  const first = units.findIndex(([size]) => ms >= size);
  if (first < 0) return `${Math.round(ms)} ms`;
  let rest = ms;
  return units
    .slice(first, first + 2)
    .flatMap(([size, name]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return count === 0 ? [] : [`${count} ${name}`];
    })
    .join(' ');
}

export function gapFacts(gaps: readonly Gap[]): readonly Fact[] {
  const lines = gaps.slice(-SHOWN_GAPS).map(({ from, until, killed }): Fact => {
    const why = killed ? ' (the recorder was killed: its last second before that may be missing, too)' : '';
    return ['not recorded', `${iso(from)} to ${iso(until)}${why}`];
  });
  const earlier = gaps.length - lines.length;
  return earlier > 0 ? [['not recorded', `${earlier} earlier times`], ...lines] : lines;
}

export function lossText({ totals, lost }: Pick<Report, 'totals' | 'lost'>): string {
  const why = LOSS_REASONS.flatMap((reason) => (lost[reason] > 0 ? [`${lost[reason]} ${reason}`] : []));
  return why.length > 0 ? `${totals.lost} (${why.join(', ')})` : String(totals.lost);
}

export function aboutFacts(author: Author, generatedAt: Date): readonly Fact[] {
  return [
    ['prepared by', author.preparedBy],
    ['generated at', generatedAt.toISOString()],
    ['gatehouse', author.version],
    ['audit store', author.store],
  ];
}

/** What no report can know, since the records do not have it. */
export const NEVER_COVERED: readonly string[] = Object.freeze([
  'calls of which neither end has a proxy of this mesh',
  'TLS handshakes that fail at the destination: no request was made, and the proxy there logs none',
  'paths beyond the 200th, and addresses of callers without an identity beyond the 200th, of one workload: they are told as {other}',
  'names of workloads are as the configuration knew them at that time; what is proven is the identity in the certificate',
]);

/** What a report leaves out, the particular before the general. */
export function notCovered({ period, filter, gaps, totals, precision, forgottenBefore }: Report): readonly string[] {
  const chosen = filterText(filter);
  const missing = gaps.reduce((sum, { from, until }) => sum + Math.max(0, until - from), 0);
  const coarse = [precision?.from, precision?.until].find((level) => level !== undefined && level !== 'minute');
  const forgotten = forgottenBefore !== undefined && (period.since === undefined || period.since < forgottenBefore);
  return [
    ...(chosen === undefined ? [] : [`other calls than those with ${chosen}`]),
    ...(forgotten ? [`what was before ${iso(forgottenBefore)}: it is no longer kept`] : []),
    ...(missing > 0 ? [`${lengthText(missing)} in which nothing was recorded (above)`] : []),
    ...(totals.lost > 0 ? [`${totals.lost} records that were lost on their way (above)`] : []),
    ...(coarse === undefined
      ? []
      : [`calls are kept by ${coarse} at an end of this period, so that its edges are exact to a ${coarse}`]),
  ];
}
