import assert from 'node:assert/strict';
import { type CutOff, grantOf, inventory } from '../../audit/certificates/inventory.ts';
import { printableInventory } from '../../audit/certificates/printable.ts';
import { FORMATS, printed } from '../../audit/document/print.ts';
import { reportOf } from '../../audit/report/report.ts';
import type { LoggedIssuance } from '../../ca/log/read.ts';
import { edge } from './edges.ts';
import { matchesGolden, orphans } from './golden.ts';
import { EDGE, NOW, WEB } from './world.ts';

const HOUR = 3_600_000;
const ENDINGS = { table: 'txt', json: 'json', csv: 'csv', markdown: 'md', html: 'html' } as const;
const AUTHOR = { preparedBy: 'Ada Auditor <ada@example.org>', version: '1.2.3', store: 'audit.db' };
const NOBODY: CutOff = { serials: new Set(), identities: new Set() };

function issued(serial: string, from: number, until: number, change: Partial<LoggedIssuance> = {}): LoggedIssuance {
  const at = (hours: number): string => new Date(NOW.getTime() + hours * HOUR).toISOString();
  return {
    kind: 'issuance',
    outcome: 'issued',
    record: Number.parseInt(serial, 16),
    time: at(from),
    serial,
    names: `URI:${WEB}`,
    evidence: { kind: 'token', subject: 'system:serviceaccount:shop:web' },
    key: 'EC P-256',
    issuer: 'aa',
    notBefore: at(from),
    notAfter: at(until),
    sha256: `${serial}ff`,
    ...change,
  };
}

const call = (hours: number, template = '/x', source = WEB) =>
  edge({ time: NOW.getTime() + hours * HOUR, template, source: { principal: source, workload: undefined, address: undefined } });

const LOG: readonly LoggedIssuance[] = [
  issued('01', -30, -6),
  issued('02', -8, 16, { evidence: { kind: 'certificate', subject: WEB, serial: '01' } }),
  issued('03', -8, 16, { outcome: 'withheld' }),
  issued('04', -2, 20, { names: 'DNS:gatehouse.istio-system.svc', evidence: { kind: 'self', subject: 'control plane' } }),
  issued('05', -2, 20, {
    outcome: 'open',
    names: 'URI:spiffe://test.mesh/ns/shop/sa/=cmd|calc, DNS:x',
    evidence: { kind: 'join-token', subject: '<script>\u001B[31m' },
  }),
];
const CALLS = [call(-20, '/only-01'), call(-7, '/both'), call(-1, '/only-02'), call(-1, '/stranger', EDGE)];

function found(cutOff: CutOff = NOBODY) {
  const edges = [...CALLS, edge({ template: '/plain', mtls: false, time: NOW.getTime() })];
  const report = reportOf(
    { edges, losses: [], gaps: [] },
    { period: { since: undefined, until: undefined }, filter: {}, now: NOW },
  );
  return { report, inventory: inventory(LOG, report.lines, cutOff, NOW) };
}

describe('audit: certificates and the calls made with them', () => {
  for (const format of FORMATS)
    it(`as ${format} is as its golden file`, () => {
      const { report, inventory: all } = found();
      const printable = printableInventory(all, all.rows, report, AUTHOR, 'issuance.jsonl');
      matchesGolden(`certificates/all.${ENDINGS[format]}`, printed(printable, format));
    });
  it('has no golden file without a case', () => assert.deepEqual(orphans('certificates'), []));

  it('names the certificate of a call where only one was valid, and all that it can have been otherwise', () => {
    const { inventory: all } = found();
    assert.deepEqual(all.edges.map(({ line, serials }) => `${line.key.path} ${serials.join()}`).toSorted(), [
      '/both 02,01',
      '/only-01 01',
      '/only-02 02',
    ]);
    assert.deepEqual(
      all.rows.map(({ issuance, calls }) => [issuance.serial, calls.certain, calls.possible]),
      [
        ['01', 1, 1],
        ['02', 1, 1],
        ['03', 0, 0],
        ['04', 0, 0],
        ['05', 0, 0],
      ],
    );
  });

  it('names the certificates that the proxy named, whatever else was valid, and tells of strangers and of what was not named', () => {
    const certificate = (serial?: string) =>
      edge({ time: NOW.getTime() - 7 * HOUR, template: '/named', ...(serial === undefined ? {} : { certificate: serial }) });
    const { lines } = reportOf(
      {
        edges: [certificate('2'), certificate('2'), certificate('1'), certificate('bad'), certificate()],
        losses: [],
        gaps: [],
      },
      { period: { since: undefined, until: undefined }, filter: {}, now: NOW },
    );
    const all = inventory(LOG, lines, NOBODY, NOW);
    assert.deepEqual(
      all.edges.map(({ named, unnamed, serials }) => [named.map(({ serial, count }) => [serial, count]), unnamed, serials]),
      [
        [
          [
            ['02', 2],
            ['01', 1],
          ],
          1,
          ['02', '01'],
        ],
      ],
    );
    assert.deepEqual(
      all.rows.slice(0, 2).map(({ calls }) => calls),
      [
        { certain: 1, possible: 1 },
        { certain: 2, possible: 1 },
      ],
    );
    assert.deepEqual(
      all.unexplained.map(({ tally, certificates }) => [tally.count, certificates?.map(({ serial }) => serial)]),
      [[1, ['bad']]],
    );
  });

  it('is not sure where the period cuts an hour, and takes no stranger with the same number for ours', () => {
    const one = edge({ time: NOW.getTime() - HOUR, certificate: '2' });
    const cut = { ...one, certificates: [{ serial: '2', count: 7, firstSeen: 0, lastSeen: NOW.getTime() }] };
    const other = edge({
      certificate: '2',
      source: { principal: EDGE, workload: undefined, address: undefined },
    });
    const { lines } = reportOf(
      { edges: [cut, other], losses: [], gaps: [] },
      { period: { since: undefined, until: undefined }, filter: {}, now: NOW },
    );
    const all = inventory(LOG, lines, NOBODY, NOW);
    assert.deepEqual(all.rows[1]?.calls, { certain: 0, possible: 1 });
    assert.deepEqual(
      all.unexplained.map(({ key }) => key.sourcePrincipal),
      [EDGE],
    );
  });

  it('tells calls whose certificate is not of this log', () => {
    assert.deepEqual(
      found().inventory.unexplained.map(({ key }) => key.path),
      ['/stranger'],
    );
  });

  it('tells what became of each', () => {
    const statuses = (cutOff?: CutOff) => found(cutOff).inventory.rows.map(({ status }) => status);
    assert.deepEqual(statuses(), ['expired', 'valid', 'withheld', 'valid', 'open']);
    assert.deepEqual(statuses({ serials: new Set(['02']), identities: new Set() })[1], 'revoked');
    assert.deepEqual(statuses({ serials: new Set(), identities: new Set([WEB]) }).slice(0, 3), [
      'revoked',
      'revoked',
      'withheld',
    ]);
  });

  it('says by which rule it was granted', () => {
    const grant = (kind: string, subject: string) => grantOf({ names: `URI:${WEB}`, evidence: { kind, subject } });
    assert.equal(grant('token', 'system:serviceaccount:shop:web'), 'its own identity, by a token');
    assert.match(grant('token', 'system:serviceaccount:istio-system:ztunnel'), /^node proxy .*ztunnel for a pod on its node/);
    assert.match(grant('certificate', 'spiffe://test.mesh/ns/istio-system/sa/ztunnel'), /^node proxy/);
    assert.equal(grant('certificate', WEB), 'its own identity, renewed');
    assert.match(grant('stars', 'x'), /unknown kind/);
  });
});
