import type { EdgeKey, Tally } from '../model/edge.ts';
import { quantileUs } from '../model/latency.ts';
import { notesOf, reasonOf, wouldBeDenied } from './reason.ts';
import type { Cell, Column, Table, Tone } from '../document/document.ts';
import type { Line } from './report.ts';

/** The columns of every rendering but JSON, in order. `wide`: left out where space is short. */
export const COLUMNS = Object.freeze([
  { title: 'source identity', wide: false, cell: ({ key }) => sourceIdentity(key) },
  { title: 'source workload', wide: true, cell: ({ key }) => key.sourceWorkload },
  { title: 'destination identity', wide: false, cell: ({ key }) => key.destinationPrincipal },
  { title: 'destination workload', wide: true, cell: ({ key }) => key.destinationWorkload },
  { title: 'service', wide: false, cell: ({ key }) => key.service },
  { title: 'port', wide: false, cell: ({ key }) => (key.port === 0 ? '' : String(key.port)) },
  { title: 'protocol', wide: false, cell: ({ key }) => key.protocol },
  { title: 'method', wide: false, cell: ({ key }) => key.method },
  { title: 'path', wide: false, cell: ({ key }) => key.path },
  { title: 'transport', wide: false, cell: ({ key }) => transport(key) },
  { title: 'decision', wide: false, cell: ({ key }) => (key.verdict === 'unreached' ? 'not reached' : key.decision) },
  { title: 'policy', wide: false, cell: ({ key }) => [policy(key), ...notesOf(key)].join('; ') },
  { title: 'count', wide: false, cell: ({ tally }) => String(tally.count) },
  { title: 'first seen', wide: false, cell: ({ tally }) => new Date(tally.firstSeen).toISOString() },
  { title: 'last seen', wide: false, cell: ({ tally }) => new Date(tally.lastSeen).toISOString() },
  { title: 'p50 ms', wide: true, cell: ({ tally }) => quantile(tally, 0.5) },
  { title: 'p90 ms', wide: true, cell: ({ tally }) => quantile(tally, 0.9) },
  { title: 'p99 ms', wide: true, cell: ({ tally }) => quantile(tally, 0.99) },
] as const satisfies readonly { readonly title: string; readonly wide: boolean; readonly cell: (line: Line) => string }[]);

const NUMBERS: ReadonlySet<string> = new Set(['count', 'port', 'p50 ms', 'p90 ms', 'p99 ms']);

/** How long the share of calls took at most; empty where it is not known. */
function quantile({ latencies, latencyMaxUs }: Tally, share: number): string {
  const us = quantileUs(latencies, share, latencyMaxUs);
  return us === undefined ? '' : String(Math.round(us) / 1000);
}

/** Who proved to be the caller; a caller that proved nothing is only an address, and is called so. */
function sourceIdentity(key: EdgeKey): string {
  if (key.sourcePrincipal !== '') return key.sourcePrincipal;
  return key.sourceAddress === '' ? 'unauthenticated' : `unauthenticated (${key.sourceAddress})`;
}

function transport(key: EdgeKey): string {
  if (key.verdict === 'unreached') return '';
  return key.mtls ? 'mTLS' : 'plain';
}

/** The rule that decided, or why none did; what else policies noted follows it. */
function policy(key: EdgeKey): string {
  return key.policy === '' || key.rule < 0 || key.verdict === 'denied-custom' ? reasonOf(key) : `${key.policy} rule ${key.rule}`;
}

function toneOf(title: string, { key }: Line): Tone | undefined {
  if (NUMBERS.has(title)) return 'number';
  if (title === 'decision') return key.decision === 'DENY' ? 'denied' : wouldBeDenied(key) ? 'would-be-denied' : undefined;
  if (title === 'transport' && key.verdict !== 'unreached') return key.mtls ? 'good' : 'plain';
  return undefined;
}

function lineCells(line: Line): readonly Cell[] {
  return COLUMNS.map(({ title, cell }) => ({ text: cell(line), tone: toneOf(title, line) }));
}

const LINE_COLUMNS: readonly Column[] = COLUMNS;

/** The edges of a report as a table. */
export function linesTable(lines: readonly Line[]): Table {
  return {
    columns: LINE_COLUMNS,
    *rows() {
      for (const line of lines) yield lineCells(line);
    },
  };
}
