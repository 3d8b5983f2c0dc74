import type { Fact, Printable, Section } from '../document/document.ts';
import { jsonObject } from '../document/json.ts';
import { readableGraph } from '../graph/graph.ts';
import { layoutOf } from '../graph/layout.ts';
import { svgOf, TONES } from '../graph/svg.ts';
import { aboutFacts, type Author, gapFacts, lossText, NEVER_COVERED, notCovered, periodText } from './about.ts';
import { linesTable } from './columns.ts';
import { jsonEdgesOf, jsonHead } from './json.ts';
import type { Report } from './report.ts';

/** More than this on one sheet nobody can read; then namespaces are shown. */
const MOST_NODES = 150;

function share(part: number, whole: number): string {
  return whole === 0 ? String(part) : `${part} (${Math.round((part / whole) * 1000) / 10} %)`;
}

/** The figures on top of a report. */
export function summary(report: Report): readonly Fact[] {
  const { totals, gaps } = report;
  const arrived = totals.calls - totals.unreached;
  return [
    ['edges', String(totals.edges)],
    ['calls', String(totals.calls)],
    ['mutual TLS', share(totals.mtls, arrived)],
    ['plain text', share(totals.plainText, arrived)],
    ['denied', String(totals.denied)],
    ['would be denied', String(totals.wouldBeDenied)],
    ['not reached', String(totals.unreached)],
    ['lost records', lossText(report)],
    ...gapFacts(gaps),
  ];
}

/** The picture of who talks to whom; none where nobody does. */
function graphSection(report: Pick<Report, 'lines'>): readonly Section[] {
  if (report.lines.length === 0) return [];
  const { graph, grain } = readableGraph(report.lines, MOST_NODES);
  const title = `Who talks to whom: ${graph.nodes.length} ${grain === 'workload' ? 'callers and destinations' : 'namespaces and outsiders'}, ${graph.edges.length} pairs`;
  return [
    {
      heading: 'Graph',
      paragraphs: grain === 'workload' ? [] : [`There are more than ${MOST_NODES} workloads, so namespaces are shown.`],
      picture: {
        svg: svgOf(layoutOf(graph), title),
        legend: Object.entries(TONES).map(([tone, text]) => ({ tone, text })),
      },
    },
  ];
}

/** What is added to a report: the join with policies, and the like. */
export interface Addition {
  readonly facts: readonly Fact[];
  readonly sections: readonly Section[];
  readonly json: Readonly<Record<string, unknown>>;
}

const NOTHING_MORE: Addition = Object.freeze({ facts: [], sections: [], json: {} });

/** A report in every form. The picture is drawn only where it is shown. */
export function printableReport(report: Report, author: Author, more: Addition = NOTHING_MORE): Printable {
  const table = linesTable(report.lines);
  let drawn: readonly Section[] | undefined;
  return {
    document: {
      title: 'Who talked to whom',
      period: periodText(report.period, report.generatedAt),
      facts: [...summary(report), ...more.facts],
      about: aboutFacts(author, report.generatedAt),
      get sections() {
        drawn ??= graphSection(report);
        return [...drawn, ...more.sections, { heading: 'Calls', table, whenEmpty: 'No calls.' }];
      },
      notCovered: notCovered(report),
      neverCovered: NEVER_COVERED,
    },
    csv: table,
    json: () => jsonObject({ ...jsonHead(report, author), ...more.json, edges: () => jsonEdgesOf(report) }),
  };
}
