import { type Cell, cell, type Fact, type Printable, type Section, type Table } from '../document/document.ts';
import { jsonObject } from '../document/json.ts';
import {
  aboutFacts,
  type Author,
  gapFacts,
  iso,
  lengthText,
  lossText,
  NEVER_COVERED,
  notCovered,
  periodText,
} from '../report/about.ts';
import { jsonCalled, orNull } from '../report/json-ends.ts';
import { type Change, CHANGES, type ChangeKind, type Comparison, countOf, type Side } from './compare.ts';
import { encryptionOf, outcomesOf, type PairKey, type PairTally } from './pair.ts';

const TITLES: Readonly<Record<ChangeKind, string>> = Object.freeze({
  new: 'new',
  vanished: 'vanished',
  verdict: 'decided otherwise',
  encryption: 'encrypted otherwise',
  volume: 'more or fewer calls',
});

function callerText({ sourcePrincipal, sourceWorkload }: PairKey): string {
  return sourcePrincipal === '' ? `unauthenticated${sourceWorkload === '' ? '' : ` (${sourceWorkload})`}` : sourcePrincipal;
}

function volumeText(ratio: number | undefined): string {
  if (ratio === undefined) return '';
  const percent = Math.round((ratio - 1) * 100);
  return `${percent > 0 ? 'up' : 'down'} ${Math.abs(percent)} %`;
}

function change(was: string | undefined, is: string | undefined): string {
  if (was === undefined || is === undefined || was === is) return is ?? was ?? '';
  return `${was} → ${is}`;
}

function tone({ kinds, after }: Change): Cell['tone'] {
  if (kinds.includes('new')) return after !== undefined && after.denied > 0 ? 'denied' : 'would-be-denied';
  return kinds.includes('verdict') ? 'denied' : kinds.includes('encryption') ? 'plain' : undefined;
}

function outcomes(tally: PairTally | undefined): string | undefined {
  return tally === undefined ? undefined : outcomesOf(tally).join(' and ');
}

function cells(one: Change): readonly Cell[] {
  const { key, kinds, before, after, ratio } = one;
  return [
    cell(kinds.map((kind) => TITLES[kind]).join(', '), tone(one)),
    cell(callerText(key)),
    cell(key.sourceWorkload),
    cell(key.destinationPrincipal),
    cell(key.destinationWorkload),
    cell(key.service),
    cell(key.port === 0 ? '' : key.port),
    cell(key.protocol),
    ...(key.method === '' && key.path === '' ? [cell(''), cell('')] : [cell(key.method), cell(key.path)]),
    cell(before?.calls ?? 0),
    cell(after?.calls ?? 0),
    cell(kinds.includes('volume') ? volumeText(ratio) : ''),
    cell(change(outcomes(before), outcomes(after))),
    cell(change(before && encryptionOf(before), after && encryptionOf(after))),
    cell(iso(Math.min(before?.firstSeen ?? Number.POSITIVE_INFINITY, after?.firstSeen ?? Number.POSITIVE_INFINITY))),
    cell(iso(Math.max(before?.lastSeen ?? 0, after?.lastSeen ?? 0))),
  ];
}

function tableOf(changes: readonly Change[]): Table {
  return {
    columns: [
      { title: 'change' },
      { title: 'source identity' },
      { title: 'source workload', wide: true },
      { title: 'destination identity' },
      { title: 'destination workload', wide: true },
      { title: 'service' },
      { title: 'port' },
      { title: 'protocol' },
      { title: 'method', wide: changes.every(({ key }) => key.method === '') },
      { title: 'path', wide: changes.every(({ key }) => key.path === '') },
      { title: 'calls before' },
      { title: 'calls after' },
      { title: 'volume' },
      { title: 'decision' },
      { title: 'transport' },
      { title: 'first seen', wide: true },
      { title: 'last seen', wide: true },
    ],
    *rows() {
      for (const one of changes) yield cells(one);
    },
  };
}

function sideFacts(name: string, { report, recordedMs }: Side): readonly Fact[] {
  return [
    [name, `${periodText(report.period, report.generatedAt)}; recorded for ${lengthText(recordedMs)}`],
    [`calls ${name}`, String(report.totals.calls)],
    [`lost records ${name}`, lossText(report)],
    ...gapFacts(report.gaps).map(([label, value]): Fact => [`${label} ${name}`, value]),
  ];
}

function sections(comparison: Comparison): readonly Section[] {
  const first =
    (kind: ChangeKind) =>
    ({ kinds }: Change): boolean =>
      kinds[0] === kind;
  return CHANGES.map((kind) => ({
    heading: `${TITLES[kind].charAt(0).toUpperCase()}${TITLES[kind].slice(1)}`,
    table: tableOf(comparison.changes.filter(first(kind))),
  })).filter(({ table }) => table.rows()[Symbol.iterator]().next().done !== true);
}

function jsonTally(tally: PairTally | undefined): object | null {
  if (tally === undefined) return null;
  const { firstSeen, lastSeen, ...counts } = tally;
  return {
    ...counts,
    outcomes: outcomesOf(tally),
    encryption: encryptionOf(tally),
    firstSeen: iso(firstSeen),
    lastSeen: iso(lastSeen),
  };
}

function jsonChange({ key, kinds, before, after, ratio }: Change): object {
  return {
    changes: kinds,
    source: { principal: orNull(key.sourcePrincipal), workload: orNull(key.sourceWorkload) },
    ...jsonCalled(key),
    before: jsonTally(before),
    after: jsonTally(after),
    volumeRatio: ratio === undefined ? null : Math.round(ratio * 1000) / 1000,
  };
}

function jsonSide({ report, recordedMs }: Side): object {
  const { since, until } = report.period;
  return {
    period: { since: since === undefined ? null : iso(since), until: until === undefined ? null : iso(until) },
    recordedSeconds: Math.round(recordedMs / 1000),
    totals: report.totals,
    lost: report.lost,
    gaps: report.gaps.map(({ from, until: end, killed }) => ({ from: iso(from), until: iso(end), killed })),
  };
}

/** A comparison in every form. */
export function printableComparison(comparison: Comparison, author: Author): Printable {
  const { before, after, settings, changes, unchanged } = comparison;
  const generatedAt = after.report.generatedAt;
  const left = [...new Set([...notCovered(before.report), ...notCovered(after.report)])];
  const percent = Math.round(settings.threshold * 100);
  return {
    document: {
      title: 'What changed in who talks to whom',
      period: `${periodText(after.period, generatedAt)}, against ${periodText(before.period, generatedAt)}`,
      facts: [
        ...CHANGES.map((kind): Fact => [TITLES[kind], String(countOf(comparison, kind))]),
        ['unchanged', String(unchanged)],
        ...sideFacts('before', before),
        ...sideFacts('after', after),
      ],
      about: [
        ...aboutFacts(author, generatedAt),
        [
          'compared by',
          settings.detail === 'pair' ? 'caller, destination and port' : 'caller, destination, port, method and path',
        ],
        ['volume', `changed by ${percent} % or more of calls a second, and by ${settings.leastCalls} calls or more`],
      ],
      sections: changes.length === 0 ? [{ heading: 'Changes', paragraphs: ['Nothing changed.'] }] : sections(comparison),
      notCovered: left,
      neverCovered: [...NEVER_COVERED, 'addresses of callers without an identity: they are one caller here'],
    },
    csv: tableOf(changes),
    json: () =>
      jsonObject({
        generatedAt: generatedAt.toISOString(),
        preparedBy: author.preparedBy,
        version: author.version,
        store: author.store,
        before: jsonSide(before),
        after: jsonSide(after),
        settings,
        totals: { ...Object.fromEntries(CHANGES.map((kind) => [kind, countOf(comparison, kind)])), unchanged },
        notCovered: [...left, ...NEVER_COVERED],
        changes: () => changes.map(jsonChange),
      }),
  };
}
