import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CONTENT_SECURITY_POLICY } from '../../audit/document/html.ts';
import { type Format, FORMATS, printed } from '../../audit/document/print.ts';
import { csvField } from '../../audit/report/csv-field.ts';
import { EVERYTHING, type EdgeFilter } from '../../audit/report/filter.ts';
import { htmlText } from '../../audit/report/html-text.ts';
import { jsonLines } from '../../audit/report/json.ts';
import { markdownCell } from '../../audit/report/markdown-cell.ts';
import { printableReport } from '../../audit/report/printable.ts';
import { parseQuestion } from '../../audit/report/question.ts';
import { type Report, reportOf } from '../../audit/report/report.ts';
import type { Observed } from '../../audit/store/store.ts';
import type { AccessRecord } from '../../audit/model/record.ts';
import { visible } from '../../audit/report/visible.ts';
import { edge } from './edges.ts';
import { matchesGolden, orphans } from './golden.ts';
import { APP, EDGE, NOW, WEB } from './world.ts';

const SEED = 20_261_122;
const HOUR = 3_600_000;
const plain = (address: string, workload?: string): AccessRecord['source'] => ({ principal: undefined, workload, address });

/** One call of each kind that there is, and one of them twice. */
const MESH: Observed = {
  edges: [
    edge(),
    edge({ time: NOW.getTime() - HOUR, durationUs: 4500, status: 503 }),
    edge({ method: 'DELETE', status: 403, verdict: { kind: 'denied-by-rule', by: { policy: 'shop/no-delete', rule: 2 } } }),
    edge({ template: '/admin', status: 403, verdict: { kind: 'denied-no-rule', policies: ['istio-system/all', 'shop/web'] } }),
    edge({
      source: plain('10.0.0.9', 'old/legacy'),
      mtls: false,
      protocol: 'TCP',
      method: '',
      template: '',
      status: 0,
      verdict: { kind: 'denied-transport' },
    }),
    edge({ template: '/token', status: 401, verdict: { kind: 'denied-token' } }),
    edge({ template: '/custom', status: 403, verdict: { kind: 'denied-custom' } }),
    edge({
      template: '/two',
      status: 403,
      verdict: { kind: 'denied-by-rule', by: { policy: 'gatehouse-peer-identity', rule: undefined } },
      source: plain('10.0.0.2', 'shop/web'),
    }),
    edge({ template: '/unnamed', verdict: { kind: 'allowed-unnamed', policies: ['shop/web'] } }),
    edge({ protocol: 'GRPC', method: 'POST', template: '/shop.v1.Cart/Get', verdict: { kind: 'allowed-no-policy' } }),
    edge({
      protocol: 'TCP',
      port: 3306,
      method: '',
      template: '',
      status: 0,
      service: 'db.shop.svc.cluster.local',
      verdict: { kind: 'allowed-by-rule', by: { policy: 'shop/db', rule: 0 } },
    }),
    edge({
      side: 'gateway',
      source: plain('203.0.113.7'),
      destination: { principal: EDGE, workload: 'edge/gateway', address: undefined },
      service: 'gateway.edge.svc.cluster.local',
      mtls: false,
      verdict: { kind: 'allowed-no-policy' },
    }),
    edge({
      side: 'outbound',
      hop: 'out',
      reached: false,
      mtls: false,
      status: 503,
      source: { principal: WEB, workload: 'shop/web', address: undefined },
      destination: { principal: undefined, workload: undefined, address: undefined },
      port: 9080,
      verdict: { kind: 'unreached', cause: 'no_healthy_upstream' },
    }),
  ],
  losses: [
    { minute: 1, reason: 'queue-full', count: 3 },
    { minute: 2, reason: 'malformed', count: 1 },
  ],
  gaps: [
    { from: NOW.getTime() - 2 * HOUR, until: NOW.getTime() - HOUR, killed: true },
    { from: NOW.getTime() - HOUR, until: NOW.getTime(), killed: false },
  ],
};

const HOSTILE = '<script>alert(1)</script>"\'&|`*[x](javascript:1)\u202E\u001B[31m\r\n';
/** What callers choose: paths, host names, and (through a certificate of another trust domain) identities. */
const NASTY: Observed = {
  edges: [
    edge({ template: `/${HOSTILE}`, service: '=cmd|calc!A0', method: '@SUM(A1)', source: plain('+1', '-2') }),
    edge({ template: '\t=1+1', service: ' =1', port: 1 }),
    edge({ template: '＝1', service: 'a,b', port: 2 }),
  ],
  losses: [],
  gaps: [],
};

const ALL = { period: { since: undefined, until: undefined }, filter: EVERYTHING, now: NOW };
const mesh = (filter: Partial<EdgeFilter> = {}): Report => reportOf(MESH, { ...ALL, filter: { ...EVERYTHING, ...filter } });
const AUTHOR = { preparedBy: 'Ada Auditor <ada@example.org>', version: '1.2.3', store: '/var/lib/gatehouse/audit.db' };
const inForm = (report: Report, format: Format): string => printed(printableReport(report, AUTHOR), format);
const ENDINGS = { table: 'txt', json: 'json', csv: 'csv', markdown: 'md', html: 'html' } as const;

describe('audit: report', () => {
  const cases = {
    mesh: mesh(),
    nasty: reportOf(NASTY, ALL),
    empty: reportOf(
      { edges: [], losses: [], gaps: [] },
      { ...ALL, period: { since: NOW.getTime() - HOUR, until: NOW.getTime() } },
    ),
  };
  for (const [name, report] of Object.entries(cases)) {
    for (const format of FORMATS) {
      it(`${name} as ${format} is as its golden file`, () => matchesGolden(`${name}.${ENDINGS[format]}`, inForm(report, format)));
    }
  }
  it('has no golden file without a case', () => assert.deepEqual(orphans(), []));

  it('counts calls by decision', () => {
    assert.deepEqual(mesh().totals, {
      edges: 12,
      calls: 13,
      allowed: 6,
      denied: 6,
      wouldBeDenied: 0,
      mtls: 10,
      plainText: 2,
      unreached: 1,
      lost: 4,
    });
  });

  it('is the same whatever the order of what was observed', () => {
    const backwards = reportOf({ ...MESH, edges: [...MESH.edges].reverse() }, ALL);
    assert.equal(inForm(backwards, 'json'), inForm(mesh(), 'json'));
  });

  it('names for each denial the policy, or the ALLOW policies without a rule for it', () => {
    const reasons = [...jsonLines(mesh({ verdict: 'denied' }))].join('');
    for (const text of ['rule 2 of shop/no-delete denied it', 'no rule of istio-system/all, shop/web allowed it'])
      assert.ok(reasons.includes(text), text);
  });

  describe('filters', () => {
    const callers = (filter: Partial<EdgeFilter>): number => mesh(filter).lines.length;
    it('by namespace, at either end', () => {
      assert.deepEqual(
        ['shop', 'edge', 'old', 'none'].map((namespace) => callers({ namespace })),
        [11, 1, 1, 0],
      );
    });
    it('by namespace of the service, for a call that never arrived', () => {
      const lines = mesh({ namespace: 'shop' }).lines.filter(({ key }) => key.verdict === 'unreached');
      assert.equal(lines.length, 1);
    });
    it('by workload, with or without namespace, and no part of a name', () => {
      assert.deepEqual(
        ['old/legacy', 'legacy', 'egacy', 'shop/legacy', ''].map((workload) => callers({ workload })),
        [1, 1, 0, 0, 0],
      );
    });
    it('by identity, with or without scheme', () => {
      assert.deepEqual(
        [EDGE, EDGE.slice('spiffe://'.length), APP, `${APP}x`].map((identity) => callers({ identity })),
        [1, 1, 10, 0],
      );
    });
    it('by decision', () => assert.deepEqual([callers({ verdict: 'allowed' }), callers({ verdict: 'denied' })], [6, 6]));
    it('all of them at once', () =>
      assert.equal(callers({ namespace: 'shop', workload: 'web', identity: APP, verdict: 'denied' }), 5));
  });

  describe('a question', () => {
    const ask = (text: Parameters<typeof parseQuestion>[0]): string => {
      const parsed = parseQuestion(text, NOW);
      return parsed.ok ? JSON.stringify(parsed.value.period) : parsed.reason;
    };
    it('takes ages and times', () => {
      assert.equal(ask({ since: '15m' }), JSON.stringify({ since: NOW.getTime() - 900_000 }));
      assert.equal(
        ask({ since: '2026-01-01', until: '2026-01-02T00:00:00+01:00' }),
        JSON.stringify({ since: Date.UTC(2026, 0, 1), until: Date.UTC(2026, 0, 1, 23) }),
      );
    });
    it('is refused with the part that is wrong', () => {
      assert.match(ask({ since: 'yesterday' }), /^since: `yesterday` is neither/);
      assert.match(ask({ until: '2026-13-01' }), /^until: /);
      assert.match(ask({ since: '1h', until: '2h' }), /since must be before until/);
      assert.match(ask({ verdict: 'maybe' }), /^verdict must be/);
    });
  });

  describe('hostile text', () => {
    it('is no formula in CSV, and every line has all columns', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), (text) => {
          const field = csvField(text);
          const raw = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
          assert.ok(!/^\s*[=+\-@＝＋－＠\t\r\n]/.test(raw), JSON.stringify(raw));
          assert.ok(raw === visible(text) || raw === `'${visible(text)}`, 'and nothing is lost');
          assert.ok(!/[\r\n]/.test(field) && (field.startsWith('"') || !/[",]/.test(field)));
        }),
        { seed: SEED, numRuns: 2000 },
      );
      const [header, ...rows] = inForm(cases.mesh, 'csv').trimEnd().split('\r\n');
      assert.equal(rows.length, cases.mesh.lines.length);
      for (const row of rows) assert.equal(row.replace(/"(?:[^"]|"")*"/g, '').split(',').length, header?.split(',').length);
    });

    it('is no markup in HTML, and the page forbids what it would need', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), (text) => assert.ok(!/[<>"']/.test(htmlText(text)))),
        { seed: SEED, numRuns: 1000 },
      );
      const page = inForm(cases.nasty, 'html');
      assert.ok(!/<script|<img|<link|javascript:[^1]| on\w+=|https?:\/\//i.test(page));
      assert.match(CONTENT_SECURITY_POLICY, /default-src 'none'/);
      assert.ok(!CONTENT_SECURITY_POLICY.includes('unsafe'));
    });

    it('ends no cell and makes no link in Markdown', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), (text) => {
          const cell = markdownCell(text);
          assert.ok(!/[\r\n<>]/.test(cell));
          assert.ok(!/(?<!\\)(?:\\\\)*\|/.test(cell), cell);
        }),
        { seed: SEED, numRuns: 1000 },
      );
    });

    it('steers no terminal: control and direction characters are shown as escapes', () => {
      for (const text of [
        inForm(cases.nasty, 'table'),
        inForm(cases.nasty, 'markdown'),
        inForm(cases.nasty, 'html'),
        inForm(cases.nasty, 'csv').replaceAll('\r\n', '\n'),
      ]) {
        assert.ok(!/[\p{Cc}\p{Cf}]/u.test(text.replaceAll('\n', '')));
        assert.match(text, /u\\?\{202e/);
      }
    });
  });
});
