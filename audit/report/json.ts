import type { CertificateUse } from '../model/certificate-use.ts';
import { quantileUs } from '../model/latency.ts';
import type { Tally } from '../model/edge.ts';
import { type Mark, marksOfText } from '../model/mark.ts';
import type { Members } from '../document/json.ts';
import { type Author, iso, NEVER_COVERED, notCovered } from './about.ts';
import { jsonCalled, orNull } from './json-ends.ts';
import { policiesOf, reasonOf } from './reason.ts';
import type { Line, Report } from './report.ts';

const isoOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : iso(ms));
const milliseconds = (us: number): number => Math.round(us) / 1000;

function jsonMark(mark: Mark): Readonly<Record<string, unknown>> {
  if (mark.kind === 'subject')
    return { kind: mark.kind, policy: null, rule: null, provider: null, issuer: mark.issuer, subject: mark.subject };
  const { policy, rule = null } = mark.kind === 'would-deny-no-rule' ? { policy: null } : mark.by;
  return { kind: mark.kind, policy, rule, provider: mark.kind === 'asked' ? mark.provider : null };
}

export function jsonUse({ serial, count, firstSeen, lastSeen }: CertificateUse): object {
  return { serial, count, firstSeen: iso(firstSeen), lastSeen: iso(lastSeen) };
}

/** Quantiles are null where nothing was counted for them, by an earlier version. */
function jsonLatency({ count, latencySumUs, latencyMaxUs, latencies }: Tally): object {
  const quantile = (share: number): number | null => {
    const us = quantileUs(latencies, share, latencyMaxUs);
    return us === undefined ? null : milliseconds(us);
  };
  return {
    mean: milliseconds(latencySumUs / count),
    max: milliseconds(latencyMaxUs),
    p50: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
  };
}

/** An edge in the stable JSON shape of docs/audit.md. */
export function jsonEdge({ key, tally, certificates }: Line): Readonly<Record<string, unknown>> {
  const [none, informational, success, redirect, client, server] = tally.statuses;
  return {
    source: { principal: orNull(key.sourcePrincipal), workload: orNull(key.sourceWorkload), address: orNull(key.sourceAddress) },
    ...jsonCalled(key),
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
    latencyMs: jsonLatency(tally),
    ...(certificates === undefined ? {} : { certificates: certificates.map(jsonUse) }),
  };
}

function jsonPeriod({ since, until }: Report['period']): object {
  return { since: isoOrNull(since), until: isoOrNull(until) };
}

/** What a report says beside its edges. */
export function jsonHead(report: Report, author: Author): Members {
  return {
    generatedAt: report.generatedAt.toISOString(),
    preparedBy: author.preparedBy,
    version: author.version,
    store: author.store,
    period: jsonPeriod(report.period),
    filter: report.filter,
    totals: report.totals,
    lost: report.lost,
    gaps: report.gaps.map((gap) => ({ from: iso(gap.from), until: iso(gap.until), killed: gap.killed })),
    forgottenBefore: isoOrNull(report.forgottenBefore),
    notCovered: [...notCovered(report), ...NEVER_COVERED],
  };
}

export function* jsonEdgesOf({ lines }: Report): Generator<Readonly<Record<string, unknown>>> {
  for (const line of lines) yield jsonEdge(line);
}

/** One edge a line, for programs that read as they go. */
export function* jsonLines(report: Report): Generator<string> {
  for (const line of report.lines) yield `${JSON.stringify(jsonEdge(line))}\n`;
}
