import { addUses, type CertificateUse } from '../model/certificate-use.ts';
import { add, type Edge, type EdgeKey, keyText, type Tally } from '../model/edge.ts';
import { LOSS_REASONS, type LossReason } from '../model/loss.ts';
import type { Gap, Observed, Period, Precision } from '../store/store.ts';
import { type EdgeFilter, matches } from './filter.ts';
import { wouldBeDenied } from './reason.ts';

/** One key over the whole period. */
export interface Line {
  readonly key: EdgeKey;
  readonly tally: Tally;
  /** As in `Edge`. */
  readonly certificates?: readonly CertificateUse[];
}

/** Numbers of calls, except `edges`: the number of lines. */
export interface Totals {
  readonly edges: number;
  readonly calls: number;
  readonly allowed: number;
  readonly denied: number;
  /** Went through, and dry runs of policies would have denied them. */
  readonly wouldBeDenied: number;
  /** Arrived with a certificate of the caller. */
  readonly mtls: number;
  /** Arrived without a proven identity of the caller, or went to a destination without one. */
  readonly plainText: number;
  readonly unreached: number;
  /** Log records that the store does not have: of the whole mesh, whatever the filter. */
  readonly lost: number;
}

export interface Report {
  readonly generatedAt: Date;
  readonly period: Period;
  readonly filter: EdgeFilter;
  readonly totals: Totals;
  readonly lost: Readonly<Record<LossReason, number>>;
  readonly gaps: readonly Gap[];
  readonly precision: Precision | undefined;
  /** What was before this is no longer kept; ms since the epoch. */
  readonly forgottenBefore: number | undefined;
  readonly lines: readonly Line[];
}

/** Compares by code unit, so that order depends on no locale. */
function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The parts of a key by which lines are sorted, the first first. */
const ORDER = Object.freeze([
  'sourceWorkload',
  'sourcePrincipal',
  'sourceAddress',
  'destinationWorkload',
  'service',
  'port',
  'path',
  'method',
  'decision',
] as const satisfies readonly (keyof EdgeKey)[]);

function byOrder({ key: a }: Line, { key: b }: Line): number {
  for (const part of ORDER) {
    const difference = compare(a[part], b[part]);
    if (difference !== 0) return difference;
  }
  return compare(keyText(a), keyText(b));
}

function linesOf(edges: readonly Edge[], filter: EdgeFilter): readonly Line[] {
  const lines = new Map<string, Line>();
  for (const edge of edges) {
    if (!matches(edge, filter)) continue;
    const text = keyText(edge.key);
    const known = lines.get(text);
    // Here none is left out: they are in memory.
    const certificates = addUses(known?.certificates, edge.certificates, Number.POSITIVE_INFINITY);
    lines.set(text, {
      key: edge.key,
      tally: known ? add(known.tally, edge.tally) : edge.tally,
      ...(certificates === undefined ? {} : { certificates }),
    });
  }
  return [...lines.values()].sort(byOrder);
}

function calls(lines: readonly Line[], which: (key: EdgeKey) => boolean): number {
  return lines.reduce((sum, { key, tally }) => (which(key) ? sum + tally.count : sum), 0);
}

/** Makes a report of what a store observed. Pure; the same input gives the same report, in the same order. */
export function reportOf(
  observed: Observed,
  request: { readonly period: Period; readonly filter: EdgeFilter; readonly now: Date },
): Report {
  const lines = linesOf(observed.edges, request.filter);
  const lost: Record<LossReason, number> = { 'queue-full': 0, 'agent-queue-full': 0, malformed: 0, refused: 0, shutdown: 0 };
  for (const loss of observed.losses) lost[loss.reason] += loss.count;
  return {
    generatedAt: request.now,
    period: request.period,
    filter: request.filter,
    totals: {
      edges: lines.length,
      calls: calls(lines, () => true),
      allowed: calls(lines, (key) => key.decision === 'ALLOW' && key.verdict !== 'unreached'),
      denied: calls(lines, (key) => key.decision === 'DENY'),
      wouldBeDenied: calls(lines, wouldBeDenied),
      mtls: calls(lines, (key) => key.mtls && key.verdict !== 'unreached'),
      plainText: calls(lines, (key) => !key.mtls && key.verdict !== 'unreached'),
      unreached: calls(lines, (key) => key.verdict === 'unreached'),
      lost: LOSS_REASONS.reduce((sum, reason) => sum + lost[reason], 0),
    },
    lost,
    gaps: observed.gaps,
    precision: observed.precision,
    forgottenBefore: observed.forgottenBefore,
    lines,
  };
}
