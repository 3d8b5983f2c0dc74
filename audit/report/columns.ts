import type { EdgeKey } from '../model/edge.ts';
import { notesOf, reasonOf } from './reason.ts';
import type { Line, Report } from './report.ts';

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
] as const satisfies readonly { readonly title: string; readonly wide: boolean; readonly cell: (line: Line) => string }[]);

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

export function periodText(report: Report): string {
  const { since, until } = report.period;
  const from = since === undefined ? 'the beginning' : new Date(since).toISOString();
  return `from ${from} to ${(until === undefined ? report.generatedAt : new Date(until)).toISOString()}`;
}

const SHOWN_GAPS = 5;

function gapLines(gaps: Report['gaps']): readonly (readonly [string, string])[] {
  const lines = gaps.slice(-SHOWN_GAPS).map(({ from, until, killed }) => {
    const why = killed ? ' (the recorder was killed: its last second before that may be missing, too)' : '';
    return ['not recorded', `${new Date(from).toISOString()} to ${new Date(until).toISOString()}${why}`] as const;
  });
  const earlier = gaps.length - lines.length;
  return earlier > 0 ? [['not recorded', `${earlier} earlier times`], ...lines] : lines;
}

/** The summary above every rendering: label and value. */
export function summary(report: Report): readonly (readonly [string, string])[] {
  const { totals, gaps, lost } = report;
  const why = Object.entries(lost).flatMap(([reason, count]) => (count > 0 ? [`${count} ${reason}`] : []));
  return [
    ['edges', String(totals.edges)],
    ['calls', String(totals.calls)],
    ['denied', String(totals.denied)],
    ...(totals.wouldBeDenied > 0 ? [['would be denied', String(totals.wouldBeDenied)] as const] : []),
    ['plain text', String(totals.plainText)],
    ['not reached', String(totals.unreached)],
    ['lost records', why.length > 0 ? `${totals.lost} (${why.join(', ')})` : String(totals.lost)],
    ...gapLines(gaps),
  ];
}
