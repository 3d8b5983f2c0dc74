import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { add, NOTHING } from '../../model/edge.ts';
import { notesOf, reasonOf } from '../../report/reason.ts';
import type { CallLine, CertificateSummary, EdgeDetails, End } from '../api/details.ts';
import type { Series, Span } from '../api/graph.ts';
import { addCounts, NO_CALLS } from '../shared/counts.ts';
import { calledWith } from './called-with.ts';
import { countsOf, latencyOf } from './counts.ts';
import type { EndNode } from './ends.ts';
import { decisionNow } from './explain.ts';
import type { ObservedLine } from './observed.ts';
import { maySee, type Viewer } from './viewer.ts';

const MOST_LINES = 200;
/** Explaining walks through all policies of a workload. */
const MOST_EXPLAINED = 50;
const MOST_ADDRESSES = 20;

export interface EdgeQuestion {
  /** All of this edge, which the viewer may see. */
  readonly lines: readonly ObservedLine[];
  readonly snapshot: Snapshot;
  readonly viewer: Viewer;
  readonly period: Span;
  readonly series: Series;
  readonly certificates: ReadonlyMap<string, CertificateSummary> | undefined;
  /** Those that calls named, as far as they are known, by `certificateKey`. */
  readonly issued: ReadonlyMap<string, CertificateSummary>;
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts.filter((text) => text !== ''))].sort();
}

function endOf(
  { id, namespace, name }: EndNode,
  identities: readonly string[],
  addresses: readonly string[],
  { viewer, certificates }: EdgeQuestion,
): End {
  const known = maySee(viewer, namespace) ? certificates : undefined;
  return {
    id,
    namespace,
    name,
    identities,
    addresses: addresses.slice(0, MOST_ADDRESSES),
    certificates: known === undefined ? null : identities.flatMap((identity) => known.get(identity) ?? []),
  };
}

function lineOf({ key, tally, ends }: ObservedLine, { snapshot, viewer }: EdgeQuestion, explained: boolean): CallLine {
  // What policies of another namespace say is not for this reader; what they decided about the call is.
  const now = explained && maySee(viewer, ends.target.namespace) ? decisionNow(key, snapshot) : undefined;
  return {
    service: key.service,
    port: key.port,
    protocol: key.protocol,
    method: key.method,
    path: key.path,
    mtls: key.mtls,
    verdict: key.verdict,
    denied: key.decision === 'DENY',
    reason: [reasonOf(key), ...notesOf(key)].join('; '),
    count: tally.count,
    statuses: tally.statuses,
    latencyMs: latencyOf(tally),
    lastSeen: new Date(tally.lastSeen).toISOString(),
    ...(now === undefined ? {} : { now }),
  };
}

/** Denied calls first, then the busiest. */
function byWeight(a: ObservedLine, b: ObservedLine): number {
  const denied = ({ key }: ObservedLine): number => (key.decision === 'DENY' ? 1 : 0);
  return denied(b) - denied(a) || b.tally.count - a.tally.count;
}

/** All about the calls from one node to another; undefined where there are none. */
export function edgeDetailsOf(question: EdgeQuestion): EdgeDetails | undefined {
  const { lines } = question;
  const [first] = lines;
  if (first === undefined) return undefined;
  const { source, target } = first.ends;
  const tally = lines.reduce((sum, line) => add(sum, line.tally), NOTHING);
  const keys = lines.map(({ key }) => key);
  return {
    source: endOf(source, unique(keys.map((key) => key.sourcePrincipal)), unique(keys.map((key) => key.sourceAddress)), question),
    target: endOf(target, unique(keys.map((key) => key.destinationPrincipal)), [], question),
    period: question.period,
    counts: lines.reduce((sum, line) => addCounts(sum, countsOf(line.key, line.tally)), NO_CALLS),
    latencyMs: latencyOf(tally),
    statuses: tally.statuses,
    bytesReceived: tally.bytesReceived,
    bytesSent: tally.bytesSent,
    firstSeen: new Date(tally.firstSeen).toISOString(),
    lastSeen: new Date(tally.lastSeen).toISOString(),
    series: question.series,
    // Certificates are for those who may see whose they are.
    calledWith: maySee(question.viewer, source.namespace) ? calledWith(lines, question.issued) : null,
    lines: lines
      .toSorted(byWeight)
      .slice(0, MOST_LINES)
      .map((line, at) => lineOf(line, question, at < MOST_EXPLAINED)),
    omittedLines: Math.max(0, lines.length - MOST_LINES),
  };
}
