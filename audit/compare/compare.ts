import type { Report } from '../report/report.ts';
import type { Period } from '../store/store.ts';
import { type Detail, encryptionOf, outcomesOf, type Pair, type PairKey, type PairTally, pairsOf } from './pair.ts';

export const CHANGES = Object.freeze(['new', 'vanished', 'verdict', 'encryption', 'volume'] as const);
export type ChangeKind = (typeof CHANGES)[number];

/** A pair that is not as it was. One that is new or vanished is nothing else; others may have changed in several ways. */
export interface Change {
  readonly key: PairKey;
  readonly kinds: readonly ChangeKind[];
  readonly before: PairTally | undefined;
  readonly after: PairTally | undefined;
  /** Calls a second after, divided by those before; undefined where there were none. */
  readonly ratio: number | undefined;
}

export interface Side {
  readonly report: Report;
  readonly period: Period;
  /** How long calls were recorded in it, ms: without what no recorder saw. */
  readonly recordedMs: number;
}

export interface Comparison {
  readonly before: Side;
  readonly after: Side;
  readonly settings: CompareSettings;
  readonly changes: readonly Change[];
  readonly unchanged: number;
}

export interface CompareSettings {
  readonly detail: Detail;
  /** Volume has changed where calls a second differ by at least this share of what they were: 0.5 is half as many more or fewer. */
  readonly threshold: number;
  /** ... and by at least so many calls over the second period: a few more or less are no change. */
  readonly leastCalls: number;
}

function sideOf(report: Report): Side {
  const end = report.period.until ?? report.generatedAt.getTime();
  const first = report.lines.reduce((least, { tally }) => Math.min(least, tally.firstSeen), end);
  const start = Math.max(report.period.since ?? first, report.forgottenBefore ?? 0);
  const missing = report.gaps.reduce(
    (sum, { from, until }) => sum + Math.max(0, Math.min(until, end) - Math.max(from, start)),
    0,
  );
  return { report, period: report.period, recordedMs: Math.max(0, end - start - missing) };
}

function sameOutcome(one: PairTally, other: PairTally): boolean {
  return outcomesOf(one).join() === outcomesOf(other).join();
}

/** By how much the calls a second differ; undefined where one of the periods has no length. */
function ratioOf(before: Pair, after: Pair, sides: readonly [Side, Side]): number | undefined {
  const [was, is] = sides.map(({ recordedMs }) => recordedMs);
  if (was === undefined || is === undefined || was === 0 || is === 0) return undefined;
  return after.tally.calls / is / (before.tally.calls / was);
}

function hasMoved(ratio: number | undefined, after: Pair, { threshold, leastCalls }: CompareSettings): boolean {
  if (ratio === undefined || ratio === 0) return false;
  const expected = after.tally.calls / ratio;
  return Math.abs(ratio - 1) >= threshold && Math.abs(after.tally.calls - expected) >= leastCalls;
}

/** What differs between two periods. Pure; changes are in the order of their pairs. */
export function compare(reports: readonly [before: Report, after: Report], settings: CompareSettings): Comparison {
  const sides = [sideOf(reports[0]), sideOf(reports[1])] as const;
  const was = pairsOf(reports[0].lines, settings.detail);
  const is = pairsOf(reports[1].lines, settings.detail);
  const changes: Change[] = [];
  let unchanged = 0;
  for (const at of [...new Set([...was.keys(), ...is.keys()])].sort()) {
    const [before, after] = [was.get(at), is.get(at)];
    const key = (before ?? after)?.key;
    if (key === undefined) continue;
    const ratio = before && after && ratioOf(before, after, sides);
    const kinds: ChangeKind[] = [];
    if (before === undefined) kinds.push('new');
    else if (after === undefined) kinds.push('vanished');
    else {
      if (!sameOutcome(before.tally, after.tally)) kinds.push('verdict');
      if (encryptionOf(before.tally) !== encryptionOf(after.tally)) kinds.push('encryption');
      if (hasMoved(ratio, after, settings)) kinds.push('volume');
    }
    if (kinds.length === 0) unchanged++;
    else changes.push({ key, kinds, before: before?.tally, after: after?.tally, ratio });
  }
  return { before: sides[0], after: sides[1], settings, changes, unchanged };
}

export function countOf({ changes }: Comparison, kind: ChangeKind): number {
  return changes.filter(({ kinds }) => kinds.includes(kind)).length;
}
