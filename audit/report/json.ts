import { type Mark, marksOfText } from '../model/mark.ts';
import { policiesOf, reasonOf } from './reason.ts';
import type { Line, Report } from './report.ts';

const orNull = (text: string): string | null => (text === '' ? null : text);
const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : iso(ms));
const milliseconds = (us: number): number => Math.round(us) / 1000;

function jsonMark(mark: Mark): Readonly<Record<string, unknown>> {
  const { policy, rule = null } = mark.kind === 'would-deny-no-rule' ? { policy: null } : mark.by;
  return { kind: mark.kind, policy, rule, provider: mark.kind === 'asked' ? mark.provider : null };
}

/** An edge in the stable JSON shape of docs/audit.md. */
export function jsonEdge({ key, tally }: Line): Readonly<Record<string, unknown>> {
  const [none, informational, success, redirect, client, server] = tally.statuses;
  return {
    source: { principal: orNull(key.sourcePrincipal), workload: orNull(key.sourceWorkload), address: orNull(key.sourceAddress) },
    destination: {
      principal: orNull(key.destinationPrincipal),
      workload: orNull(key.destinationWorkload),
      service: orNull(key.service),
    },
    port: key.port === 0 ? null : key.port,
    protocol: key.protocol,
    method: orNull(key.method),
    path: orNull(key.path),
    mtls: key.mtls,
    decision: key.decision,
    policy: orNull(key.policy),
    rule: key.rule < 0 ? null : key.rule,
    reason: reasonOf(key),
    verdict: key.verdict,
    policies: policiesOf(key),
    marks: marksOfText(key.marks).map(jsonMark),
    count: tally.count,
    firstSeen: iso(tally.firstSeen),
    lastSeen: iso(tally.lastSeen),
    statuses: { none, '1xx': informational, '2xx': success, '3xx': redirect, '4xx': client, '5xx': server },
    bytesReceived: tally.bytesReceived,
    bytesSent: tally.bytesSent,
    latencyMs: { mean: milliseconds(tally.latencySumUs / tally.count), max: milliseconds(tally.latencyMaxUs) },
  };
}

export function jsonReport(report: Report): string {
  const { period } = report;
  return `${JSON.stringify(
    {
      generatedAt: report.generatedAt.toISOString(),
      period: { since: isoOrNull(period.since), until: isoOrNull(period.until) },
      totals: report.totals,
      lost: report.lost,
      gaps: report.gaps.map((gap) => ({ from: iso(gap.from), until: iso(gap.until), killed: gap.killed })),
      edges: report.lines.map(jsonEdge),
    },
    undefined,
    2,
  )}\n`;
}

/** The edges alone, as one JSON array. */
export function jsonEdges(report: Report): string {
  return `${JSON.stringify(report.lines.map(jsonEdge), undefined, 2)}\n`;
}

/** One edge a line, for programs that read as they go. */
export function jsonLines(report: Report): string {
  return report.lines.map((line) => `${JSON.stringify(jsonEdge(line))}\n`).join('');
}
