import type { Printable, Section } from '../../audit/document/document.ts';
import { jsonObject } from '../../audit/document/json.ts';
import { judgementJson, judgementText } from '../../policy/observed/judgement.ts';
import type { Amount, Replay, Replayed } from '../../policy/replay/replay.ts';
import { CALL_COLUMNS, callCells, callerOf, callJson, callTable, evidenceJson, evidenceText } from './observed.ts';
import type { Evidence } from './suggest-evidence.ts';
import { escaped } from './test/junit.ts';

function amountText({ edges, calls }: Amount): string {
  return `${calls} calls (${edges} edges)`;
}

function amountOf(rows: readonly Replayed[]): Amount {
  return { edges: rows.length, calls: rows.reduce((sum, { call }) => sum + call.count, 0) };
}

/** More are counted: on a terminal nobody reads thousands of rows. JSON has all. */
const MOST_ROWS = 200;

function section(heading: string, rows: readonly Replayed[], title: string, whenEmpty: string): Section {
  const left = rows.length - MOST_ROWS;
  return {
    heading,
    ...(left > 0 ? { paragraphs: [`The ${MOST_ROWS} with most calls; ${left} more with -o json.`] } : {}),
    table: callTable(rows.slice(0, MOST_ROWS), title, ({ after, call }) =>
      after.kind === 'not-granted'
        ? after.why
        : call.decision === 'DENY' && after.kind === 'granted'
          ? `${judgementText(after)}; it was denied: ${call.denied ?? ''}`
          : judgementText(after),
    ),
    whenEmpty,
  };
}

export function printableReplay(found: Replay, evidence: Evidence): Printable {
  const { broken, newlyAllowed, undecided, refusedBefore, gone } = found;
  return {
    document: {
      title: 'Observed calls under changed policies',
      period: evidenceText(evidence),
      facts: [
        ['broken', amountText(amountOf(broken))],
        ['newly allowed', amountText(amountOf(newlyAllowed))],
        ['undecided', amountText(amountOf(undecided))],
        ['kept', amountText(found.kept)],
        ['still denied', amountText(found.stillDenied)],
      ],
      about: [],
      sections: [
        section('Broken: went through, and would be refused', broken, 'by what', 'Nothing that was seen would break.'),
        section('Newly allowed: was denied, and would be let through', newlyAllowed, 'by what', 'Nothing.'),
        section('Undecided: depends on what records do not have', undecided, 'on what', 'Nothing.'),
        ...(refusedBefore.length === 0
          ? []
          : [section('Refused today already: went through under earlier policies', refusedBefore, 'by what', '')]),
        ...(gone.length === 0 ? [] : [section('To workloads that are not in the configuration', gone, 'which', '')]),
      ],
      notCovered: evidence.missing,
      neverCovered: [
        'callers that were not seen in this time',
        'queries and matrix parameters of paths, which records leave out',
      ],
    },
    csv: {
      columns: [{ title: 'change' }, ...CALL_COLUMNS, { title: 'why' }],
      *rows() {
        for (const [change, rows] of Object.entries({ broken, 'newly allowed': newlyAllowed, undecided }))
          for (const { call, after } of rows) yield [{ text: change }, ...callCells(call), { text: judgementText(after) }];
      },
    },
    json: () => {
      const rows = (list: readonly Replayed[]) => () =>
        list.map(({ call, after }) => ({ ...callJson(call), after: judgementJson(after) }));
      return jsonObject({
        period: evidenceJson(evidence),
        kept: found.kept,
        stillDenied: found.stillDenied,
        broken: rows(broken),
        newlyAllowed: rows(newlyAllowed),
        undecided: rows(undecided),
        refusedBefore: rows(refusedBefore),
        gone: rows(gone),
      });
    },
  };
}

function requestText({ call }: Replayed): string {
  return call.protocol === 'TCP' ? `port ${call.port ?? ''}` : `${call.method ?? ''} ${call.path ?? ''}`;
}

/** JUnit XML: a suite for each destination with findings, a failure for each edge that would break; what is undecided is skipped. */
export function junitReplay({ broken, undecided, kept }: Replay): string {
  const of = (rows: readonly Replayed[], failed: boolean) => rows.map((row) => ({ row, failed }));
  const all = [...of(broken, true), ...of(undecided, false)];
  const suites = [...Map.groupBy(all, ({ row }) => row.call.destination)].map(([name, cases]) => {
    const failures = cases.filter(({ failed }) => failed).length;
    const lines = cases.map(({ row, failed }) => {
      const title = `${callerOf(row.call)} -> ${name} ${requestText(row)}`;
      const text = `${row.call.count} calls, the last ${new Date(row.call.lastSeen).toISOString()}: ${judgementText(row.after)}`;
      const body = failed ? `<failure message="${escaped(text)}" type="broken"/>` : `<skipped message="${escaped(text)}"/>`;
      return `    <testcase name="${escaped(title)}" classname="${escaped(name)}">${body}</testcase>`;
    });
    return `  <testsuite name="${escaped(name)}" tests="${cases.length}" failures="${failures}" errors="0" skipped="${cases.length - failures}">\n${lines.join('\n')}\n  </testsuite>`;
  });
  const keptSuite = `  <testsuite name="kept" tests="1" failures="0" errors="0" skipped="0">\n    <testcase name="${kept.edges} edges, ${kept.calls} calls are kept" classname="kept"/>\n  </testsuite>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="gatehouse policy replay" tests="${all.length + 1}" failures="${broken.length}" errors="0">\n${[...suites, keptSuite].join('\n')}\n</testsuites>\n`;
}
