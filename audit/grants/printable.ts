import type { Caller } from '../../policy/access/callers.ts';
import { type Cell, cell, type Printable, type Section, type Table } from '../document/document.ts';
import { jsonObject } from '../document/json.ts';
import { aboutFacts, type Author, gapFacts, iso, lossText, NEVER_COVERED, notCovered, periodText } from '../report/about.ts';
import type { CertificateUse } from '../model/certificate-use.ts';
import { jsonEdge, jsonHead, jsonUse } from '../report/json.ts';
import type { Addition } from '../report/printable.ts';
import type { Report } from '../report/report.ts';
import type { GrantRow } from './granted.ts';
import { type Judgement, judgementJson, judgementText } from '../../policy/observed/judgement.ts';
import type { JudgedLine, Usage } from './usage.ts';
import type { Asked, CallerRow } from './who.ts';

const orNone = (text: string): string => (text === '' ? 'any' : text);

function grantsTable(rows: readonly GrantRow[], uses: boolean): Table {
  return {
    columns: [
      { title: 'destination' },
      { title: 'may call' },
      { title: 'port' },
      { title: 'methods' },
      { title: 'paths' },
      { title: 'conditions', wide: rows.every(({ conditions }) => conditions === '') },
      { title: 'granted by' },
      ...(uses ? [{ title: 'did call' }, { title: 'last call' }] : []),
    ],
    *rows() {
      for (const { destination, callerText, ports, methods, paths, conditions, by, use } of rows)
        yield [
          cell(destination),
          cell(callerText),
          cell(ports),
          cell(orNone(methods)),
          cell(orNone(paths)),
          cell(conditions),
          cell(by.length === 0 ? 'no ALLOW policy' : by.join(', ')),
          ...(uses
            ? [use.calls === 0 ? cell('never', 'plain') : cell(use.calls), cell(use.calls === 0 ? '' : iso(use.lastSeen))]
            : []),
        ];
    },
  };
}

function judgementTone({ kind }: Judgement): Cell['tone'] {
  return kind === 'granted' ? 'good' : kind === 'not-granted' ? 'denied' : 'plain';
}

function judgedTable(rows: readonly JudgedLine[]): Table {
  return {
    columns: [
      { title: 'source identity' },
      { title: 'source workload', wide: true },
      { title: 'destination workload' },
      { title: 'port' },
      { title: 'protocol' },
      { title: 'method' },
      { title: 'path' },
      { title: 'count' },
      { title: 'last seen' },
      { title: 'by the policies given' },
    ],
    *rows() {
      for (const { line, judgement } of rows) {
        const { key, tally } = line;
        yield [
          cell(key.sourcePrincipal === '' ? `unauthenticated (${key.sourceAddress})` : key.sourcePrincipal),
          cell(key.sourceWorkload),
          cell(key.destinationWorkload),
          cell(key.port === 0 ? '' : key.port),
          cell(key.protocol),
          cell(key.method),
          cell(key.path),
          cell(tally.count),
          cell(iso(tally.lastSeen)),
          cell(judgementText(judgement), judgementTone(judgement)),
        ];
      }
    },
  };
}

function jsonCaller(caller: Caller): object {
  return caller.kind === 'identity' ? { ...caller, principal: `spiffe://${caller.principal}` } : caller;
}

function jsonGrant({ destination, caller, ports, methods, paths, conditions, by, use }: GrantRow): object {
  const used = use.calls > 0;
  return {
    destination,
    caller: jsonCaller(caller),
    ports,
    methods: methods === '' ? null : methods,
    paths: paths === '' ? null : paths,
    conditions: conditions === '' ? null : conditions,
    by,
    calls: use.calls,
    firstSeen: used ? iso(use.firstSeen) : null,
    lastSeen: used ? iso(use.lastSeen) : null,
  };
}

function jsonJudged({ line, judgement }: JudgedLine): object {
  return { ...jsonEdge(line), judgement: judgementJson(judgement) };
}

/** The join as part of a report. */
export function usageAddition(found: Usage): Addition {
  const { usedNotGranted, deniedButGranted, grantedNotUsed, open, undecided, incomplete, policies } = found;
  const calls = (rows: readonly JudgedLine[]): number => rows.reduce((sum, { line }) => sum + line.tally.count, 0);
  const section = (heading: string, text: string, table: Table): Section => ({ heading, paragraphs: [text], table });
  return {
    facts: [
      ['used but not granted', String(calls(usedNotGranted))],
      ['denied though granted', String(calls(deniedButGranted))],
      ['granted but unused', `${grantedNotUsed.length} grants`],
      ['open to everybody', `${open.length} workloads`],
    ],
    sections: [
      section(
        'Used but not granted',
        'Calls that went through, and that the policies given would refuse.',
        judgedTable(usedNotGranted),
      ),
      section(
        'Denied though granted',
        'Calls that were denied, and that the policies given would let through.',
        judgedTable(deniedButGranted),
      ),
      section(
        'Granted but unused',
        'What ALLOW policies grant and nobody did in this period.',
        grantsTable(grantedNotUsed, false),
      ),
      {
        heading: 'Open to everybody',
        paragraphs: [
          open.length === 0
            ? 'ALLOW policies apply to every workload.'
            : `No ALLOW policy applies to these, so that whoever reaches them may call them: ${open.join(', ')}.`,
          ...(undecided === 0
            ? []
            : [
                `Of ${undecided} calls records do not say enough (headers, tokens, whole paths) to judge them by the policies given.`,
              ]),
          ...(incomplete.length === 0
            ? []
            : [`There are too many kinds of requests to tell all apart: ${incomplete.join(', ')}.`]),
        ],
      },
    ],
    json: {
      policies,
      usedButNotGranted: () => usedNotGranted.map(jsonJudged),
      deniedThoughGranted: () => deniedButGranted.map(jsonJudged),
      grantedButUnused: () => grantedNotUsed.map(jsonGrant),
      openToEverybody: open,
      undecidedCalls: undecided,
    },
  };
}

function didText({ workload, principal }: CallerRow): string {
  if (principal !== '') return principal;
  return workload === '' ? 'unauthenticated' : `unauthenticated (${workload})`;
}

/** What the issuance log says of certificates, by serial number. */
export type KnownCertificates = ReadonlyMap<
  string,
  { readonly identity: string; readonly evidence: string; readonly grant: string }
>;

/** Only where the log says that it is one of this identity: another authority may have the same numbers. */
function evidenceOf(principal: string, { serial }: CertificateUse, known: KnownCertificates | undefined) {
  const found = known?.get(serial);
  return found?.identity === principal ? found : undefined;
}

function certificatesText({ principal, certificates }: CallerRow, known: KnownCertificates | undefined): string {
  return certificates
    .map((use) => {
      const found = evidenceOf(principal, use, known);
      const evidence = found === undefined ? (known === undefined ? '' : ': not in the issuance log') : `: ${found.evidence}`;
      return `${use.serial} (${use.count})${evidence}`;
    })
    .join(', ');
}

function didTable(rows: readonly CallerRow[], judged: boolean, known: KnownCertificates | undefined): Table {
  return {
    columns: [
      { title: 'destination' },
      { title: 'did call' },
      { title: 'source workload', wide: true },
      { title: 'requests' },
      { title: 'allowed' },
      { title: 'denied' },
      { title: 'would be denied', wide: rows.every(({ wouldBeDenied }) => wouldBeDenied === 0) },
      { title: 'not reached', wide: rows.every(({ unreached }) => unreached === 0) },
      { title: 'plain text' },
      { title: 'first call', wide: true },
      { title: 'last call' },
      ...(rows.some(({ certificates }) => certificates.length > 0) ? [{ title: 'certificates', wide: known === undefined }] : []),
      ...(judged ? [{ title: 'by the policies given' }] : []),
    ],
    *rows() {
      for (const row of rows) {
        const [worst] = row.judgements;
        yield [
          cell(row.destination),
          cell(didText(row)),
          cell(row.workload),
          cell(row.requests.join(', ')),
          cell(row.allowed),
          cell(row.denied, row.denied > 0 ? 'denied' : 'number'),
          cell(row.wouldBeDenied, row.wouldBeDenied > 0 ? 'would-be-denied' : 'number'),
          cell(row.unreached),
          cell(row.plainText, row.plainText > 0 ? 'plain' : 'number'),
          cell(iso(row.firstSeen)),
          cell(iso(row.lastSeen)),
          ...(rows.some(({ certificates }) => certificates.length > 0) ? [cell(certificatesText(row, known))] : []),
          ...(judged ? [cell(row.judgements.map(judgementText).join('; '), worst && judgementTone(worst))] : []),
        ];
      }
    },
  };
}

function jsonCallerRow(
  { principal, workload, judgements, firstSeen, lastSeen, certificates, ...counts }: CallerRow,
  known: KnownCertificates | undefined,
): object {
  return {
    principal: principal === '' ? null : principal,
    workload: workload === '' ? null : workload,
    ...counts,
    firstSeen: iso(firstSeen),
    lastSeen: iso(lastSeen),
    certificates: certificates.map((use) => {
      const found = evidenceOf(principal, use, known);
      return {
        ...jsonUse(use),
        ...(known === undefined ? {} : { evidence: found?.evidence ?? null, grant: found?.grant ?? null }),
      };
    }),
    judgements: judgements.map(judgementJson),
  };
}

/** Who may and who did call, in every form. CSV has who did. */
export function printableWho(asked: readonly Asked[], report: Report, author: Author, known?: KnownCertificates): Printable {
  const may = asked.flatMap((one) => one.may ?? []);
  const judged = asked.some((one) => one.may !== undefined);
  const did = asked.flatMap((one) => one.did);
  const names = asked.map(({ destination }) => destination).join(', ');
  const open = asked.filter(({ governed }) => !governed).map(({ destination }) => destination);
  const incomplete = asked.filter(({ complete }) => !complete).map(({ destination }) => destination);
  return {
    document: {
      title: `Who may and who did call ${names}`,
      period: periodText(report.period, report.generatedAt),
      facts: [
        ['callers', String(did.length)],
        ['calls', String(did.reduce((sum, { calls }) => sum + calls, 0))],
        ['denied', String(did.reduce((sum, { denied }) => sum + denied, 0))],
        ['lost records', lossText(report)],
        ...gapFacts(report.gaps),
      ],
      about: aboutFacts(author, report.generatedAt),
      sections: [
        judged
          ? {
              heading: 'Who may call',
              paragraphs: open.length === 0 ? [] : [`No ALLOW policy applies to ${open.join(', ')}.`],
              table: grantsTable(may, true),
              whenEmpty: 'Nobody.',
            }
          : { heading: 'Who may call', paragraphs: ['No configuration was given (-f), so that only who did call is known.'] },
        { heading: 'Who did call', table: didTable(did, judged, known), whenEmpty: 'Nobody.' },
      ],
      notCovered: [
        ...(incomplete.length === 0
          ? []
          : [`some grants of ${incomplete.join(', ')}: there are too many kinds of requests to tell apart`]),
        ...notCovered(report),
      ],
      neverCovered: NEVER_COVERED,
    },
    csv: didTable(did, judged, known),
    json: () => {
      const { totals: _totals, ...head } = jsonHead(report, author);
      return jsonObject({
        ...head,
        destinations: asked.map((one) => ({
          destination: one.destination,
          mayCall: one.may === undefined ? null : one.may.map(jsonGrant),
          openToEverybody: one.may === undefined ? null : !one.governed,
          didCall: one.did.map((row) => jsonCallerRow(row, known)),
        })),
      });
    },
  };
}
