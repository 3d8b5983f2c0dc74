import { type Cell, cell, type Printable, type Table } from '../document/document.ts';
import { jsonObject } from '../document/json.ts';
import { aboutFacts, type Author, iso, notCovered, periodText } from '../report/about.ts';
import { jsonEdge, jsonHead, jsonUse } from '../report/json.ts';
import type { Line, Report } from '../report/report.ts';
import type { CertificateRow, CertificateStatus, EdgeCertificates, Inventory } from './inventory.ts';

const STATUSES: readonly CertificateStatus[] = Object.freeze([
  'valid',
  'not yet valid',
  'expired',
  'revoked',
  'open',
  'withheld',
]);

function tone(status: CertificateStatus): Cell['tone'] {
  return status === 'valid' ? 'good' : status === 'revoked' ? 'denied' : status === 'expired' ? undefined : 'plain';
}

function callsText({ calls: { certain, possible } }: CertificateRow): string {
  if (possible === 0) return String(certain);
  return certain === 0 ? `up to ${possible}` : `${certain}, and up to ${possible} more`;
}

function certificatesTable(rows: readonly CertificateRow[]): Table {
  return {
    columns: [
      { title: 'identity' },
      { title: 'serial' },
      { title: 'status' },
      { title: 'issued', wide: true },
      { title: 'not before' },
      { title: 'not after' },
      { title: 'evidence' },
      { title: 'granted' },
      { title: 'key', wide: true },
      { title: 'issuer', wide: true },
      { title: 'sha256', wide: true },
      { title: 'log record', wide: true },
      { title: 'calls made' },
    ],
    *rows() {
      for (const row of rows) {
        const { issuance, identity, grant, status } = row;
        yield [
          cell(identity === '' ? issuance.names : identity),
          cell(issuance.serial),
          cell(status, tone(status)),
          cell(issuance.time),
          cell(issuance.notBefore),
          cell(issuance.notAfter),
          cell(`${issuance.evidence.kind}: ${issuance.evidence.subject}`),
          cell(grant),
          cell(issuance.key),
          cell(issuance.issuer ?? ''),
          cell(issuance.sha256 ?? ''),
          cell(issuance.record),
          cell(callsText(row), 'number'),
        ];
      }
    },
  };
}

function whatCalled({ key }: Line): readonly Cell[] {
  return [
    cell(key.sourcePrincipal),
    cell(key.destinationWorkload === '' ? key.service : key.destinationWorkload),
    cell(key.port === 0 ? '' : key.port),
    cell(key.protocol === 'TCP' ? 'TCP' : `${key.method} ${key.path}`),
    cell(key.decision, key.decision === 'DENY' ? 'denied' : undefined),
  ];
}

const CALL = Object.freeze([
  { title: 'source identity' },
  { title: 'destination workload' },
  { title: 'port' },
  { title: 'request' },
  { title: 'decision' },
]);

/** Each that was named with its calls; those of which the proxy named none by what the log allows. */
function shownCertificates({ named, unnamed, serials, count }: EdgeCertificates): string {
  const parts = named.map((use) => `${use.serial} (${use.count})`);
  if (unnamed > 0 && count > 0) {
    const more = count - serials.length;
    const one = `${count === 1 ? '' : 'one of '}${serials.join(', ')}${more > 0 ? ` and ${more} older` : ''}`;
    parts.push(named.length === 0 ? one : `${one} (${unnamed})`);
  }
  return parts.join(', ');
}

function edgesTable(edges: readonly EdgeCertificates[], grants: ReadonlyMap<string, CertificateRow>): Table {
  return {
    columns: [...CALL, { title: 'calls' }, { title: 'last seen' }, { title: 'certificates' }, { title: 'evidence' }],
    *rows() {
      for (const edge of edges) {
        const { line, named, serials } = edge;
        const evidence = [...named.map(({ serial }) => serial), ...serials].flatMap((serial) => {
          const found = grants.get(serial)?.issuance.evidence;
          return found === undefined ? [] : [`${found.kind}: ${found.subject}`];
        });
        yield [
          ...whatCalled(line),
          cell(line.tally.count),
          cell(iso(line.tally.lastSeen)),
          cell(shownCertificates(edge)),
          cell([...new Set(evidence)].join(', ')),
        ];
      }
    },
  };
}

function unexplainedTable(lines: readonly Line[]): Table {
  return {
    columns: [...CALL, { title: 'calls' }, { title: 'last seen' }],
    *rows() {
      for (const line of lines) yield [...whatCalled(line), cell(line.tally.count), cell(iso(line.tally.lastSeen))];
    },
  };
}

function jsonRow({ issuance, identity, grant, status, calls }: CertificateRow): object {
  const { kind: _kind, outcome, record, ...rest } = issuance;
  return { identity: identity === '' ? null : identity, status, grant, outcome, logRecord: record, ...rest, calls };
}

/**
 * The inventory in every form. CSV holds the certificates.
 * @param rows those that are shown
 */
export function printableInventory(
  found: Inventory,
  rows: readonly CertificateRow[],
  report: Report,
  author: Author,
  log: string,
): Printable {
  const bySerial = new Map(found.rows.map((row) => [row.issuance.serial, row]));
  const table = certificatesTable(rows);
  return {
    document: {
      title: 'Certificates and the calls made with them',
      period: `calls ${periodText(report.period, report.generatedAt)}`,
      facts: [
        ['certificates', String(rows.length)],
        ...STATUSES.map((status) => [status, String(rows.filter((row) => row.status === status).length)] as const),
        ['calls with mutual TLS', String(report.totals.mtls)],
        ['calls without a certificate of this log', String(found.unexplained.reduce((sum, { tally }) => sum + tally.count, 0))],
      ],
      about: [...aboutFacts(author, report.generatedAt), ['issuance log', log]],
      sections: [
        { heading: 'Certificates', table, whenEmpty: 'No certificates.' },
        {
          heading: 'Which certificate made which calls',
          paragraphs: [
            'With numbers of calls behind them: certificates that the proxy at the destination named. Where it named none, it was the one certificate of the identity that was valid while the calls were made, or one of those told.',
          ],
          table: edgesTable(found.edges, bySerial),
          whenEmpty: 'No calls with mutual TLS.',
        },
        {
          heading: 'Calls without a certificate of this log',
          paragraphs: [
            'Their callers proved an identity with a certificate that another authority issued, or that is older than this log.',
          ],
          table: unexplainedTable(found.unexplained),
        },
      ],
      notCovered: notCovered(report),
      neverCovered: [],
    },
    csv: table,
    json: () =>
      jsonObject({
        ...jsonHead(report, author),
        issuanceLog: log,
        certificates: () => rows.map(jsonRow),
        edges: () =>
          found.edges.map(({ line, named, unnamed, serials, count }) => ({
            ...jsonEdge(line),
            certificates: {
              named: named.map(jsonUse),
              unnamed,
              certain: unnamed === 0 || count === 1,
              candidates: count,
              newest: serials,
            },
          })),
        unexplained: () => found.unexplained.map(jsonEdge),
      }),
  };
}
