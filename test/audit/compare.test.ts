import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type Comparison, compare, type CompareSettings, countOf } from '../../audit/compare/compare.ts';
import { parseRange, rangeBefore } from '../../audit/compare/period-range.ts';
import { printableComparison } from '../../audit/compare/printable.ts';
import { FORMATS, printed } from '../../audit/document/print.ts';
import type { Edge } from '../../audit/model/edge.ts';
import { type Report, reportOf } from '../../audit/report/report.ts';
import type { Gap } from '../../audit/store/store.ts';
import { edge } from './edges.ts';
import { matchesGolden, orphans } from './golden.ts';
import { NOW, WEB } from './world.ts';

const SEED = 20_261_123;
const HOUR = 3_600_000;
const END = NOW.getTime();
const SETTINGS: CompareSettings = { detail: 'pair', threshold: 0.5, leastCalls: 10 };
const ENDINGS = { table: 'txt', json: 'json', csv: 'csv', markdown: 'md', html: 'html' } as const;
const AUTHOR = { preparedBy: 'Ada Auditor <ada@example.org>', version: '1.2.3', store: 'audit.db' };

function report(edges: readonly Edge[], since: number, until: number, gaps: readonly Gap[] = []): Report {
  return reportOf({ edges, losses: [], gaps }, { period: { since, until }, filter: {}, now: NOW });
}

/** The hour before the last against the last, with as many hours before as are asked for. */
function compared(before: readonly Edge[], after: readonly Edge[], change: Partial<CompareSettings> = {}, hours = 1): Comparison {
  return compare([report(before, END - (1 + hours) * HOUR, END - HOUR), report(after, END - HOUR, END)], {
    ...SETTINGS,
    ...change,
  });
}

const times = (count: number, one: Edge): readonly Edge[] => Array.from({ length: count }, () => one);
const kindsOf = ({ changes }: Comparison) => changes.map(({ kinds }) => kinds.join('+'));
const service = (name: string) => ({ service: `${name}.shop.svc.cluster.local` });
const DENIED = { kind: 'denied-no-rule', policies: [] } as const;
const PLAIN = { mtls: false, source: { principal: undefined, workload: 'shop/web', address: '10.0.0.2' } } as const;

const CASE = compared(
  [
    edge(service('same')),
    edge(service('gone')),
    edge(service('refused')),
    edge({ ...service('open'), mtls: true }),
    ...times(20, edge(service('busy'))),
    edge({ ...service('again'), verdict: DENIED }),
  ],
  [
    edge(service('same')),
    edge({ ...service('fresh'), verdict: DENIED }),
    edge({ ...service('refused'), verdict: DENIED }),
    edge({ ...service('open'), mtls: false }),
    ...times(60, edge(service('busy'))),
    edge({ ...service('again'), verdict: DENIED }),
    edge({ ...service('=cmd|x'), source: { principal: WEB, workload: '<b>/x\u001B[31m', address: undefined } }),
  ],
);

const arbitraryEdges = fc.array(
  fc
    .record({
      service: fc.constantFrom('a', 'b', 'c', 'd'),
      method: fc.constantFrom('GET', 'POST'),
      denied: fc.boolean(),
      mtls: fc.boolean(),
    })
    .map(({ service: name, method, denied, mtls }) =>
      edge({ ...service(name), method, mtls, ...(denied ? { verdict: DENIED } : {}) }),
    ),
  { maxLength: 30 },
);

describe('audit: comparison of two periods', () => {
  for (const format of FORMATS)
    it(`as ${format} is as its golden file`, () =>
      matchesGolden(`compare/changes.${ENDINGS[format]}`, printed(printableComparison(CASE, AUTHOR), format)));

  it('has no golden file without a case', () => assert.deepEqual(orphans('compare'), []));

  it('tells new, vanished, decided and encrypted otherwise, more calls, and counts the rest', () => {
    assert.deepEqual(CASE.changes.map(({ key, kinds }) => `${key.service.split('.', 1)[0] ?? ''} ${kinds.join()}`).toSorted(), [
      '=cmd|x new',
      'busy volume',
      'fresh new',
      'gone vanished',
      'open encryption',
      'refused verdict',
    ]);
    assert.equal(CASE.unchanged, 2);
  });

  it('compares calls a second: a day before against an hour is no change when the pace is the same', () => {
    const [before, after] = [times(240, edge()), times(10, edge())];
    assert.deepEqual(kindsOf(compared(before, after, {}, 24)), []);
    assert.deepEqual(kindsOf(compared(before, times(30, edge()), {}, 24)), ['volume']);
  });

  it('leaves out of the pace what no recorder saw', () => {
    const gap = { from: END - HOUR, until: END - HOUR / 2, killed: false };
    const before = report(times(40, edge()), END - 2 * HOUR, END - HOUR);
    assert.deepEqual(kindsOf(compare([before, report(times(20, edge()), END - HOUR, END, [gap])], SETTINGS)), []);
    assert.deepEqual(kindsOf(compare([before, report(times(20, edge()), END - HOUR, END)], SETTINGS)), ['volume']);
  });

  it('takes few calls more or less for no change', () => {
    assert.deepEqual(kindsOf(compared(times(2, edge()), times(8, edge()))), []);
    assert.deepEqual(kindsOf(compared(times(2, edge()), times(8, edge()), { leastCalls: 5 })), ['volume']);
  });

  it('does not take a pod that came back under another address for a new caller', () => {
    const at = (address: string): Edge => edge({ ...PLAIN, source: { ...PLAIN.source, address } });
    assert.deepEqual(kindsOf(compared([at('10.0.0.2')], [at('10.0.0.3')])), []);
  });

  it('compares methods and paths when asked to', () => {
    const [before, after] = [[edge()], [edge(), edge({ method: 'DELETE' })]];
    assert.deepEqual(kindsOf(compared(before, after)), []);
    assert.deepEqual(kindsOf(compared(before, after, { detail: 'path' })), ['new']);
  });

  it('finds no change between a period and itself, and the opposite the other way round', () => {
    fc.assert(
      fc.property(arbitraryEdges, arbitraryEdges, fc.constantFrom('pair', 'path'), (one, other, detail) => {
        assert.deepEqual(kindsOf(compared(one, one, { detail })), []);
        const [there, back] = [compared(one, other, { detail }), compared(other, one, { detail })];
        assert.equal(countOf(there, 'new'), countOf(back, 'vanished'));
        assert.equal(countOf(there, 'vanished'), countOf(back, 'new'));
        for (const kind of ['verdict', 'encryption'] as const) assert.equal(countOf(there, kind), countOf(back, kind));
        assert.equal(there.unchanged + there.changes.length, new Set([...one, ...other].map(pairText(detail))).size);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('is the same whatever the order of the edges', () => {
    fc.assert(
      fc.property(arbitraryEdges, arbitraryEdges, (one, other) => {
        const text = (comparison: Comparison) => printed(printableComparison(comparison, AUTHOR), 'json');
        assert.equal(text(compared(one.toReversed(), other.toReversed())), text(compared(one, other)));
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('takes periods as people write them', () => {
    const range = (text: string) => parseRange(text, NOW);
    assert.deepEqual(range('2h..1h'), { ok: true, value: { since: END - 2 * HOUR, until: END - HOUR } });
    assert.deepEqual(range('1h'), { ok: true, value: { since: END - HOUR, until: END } });
    assert.deepEqual(range('2026-01-01..2026-01-02'), {
      ok: true,
      value: { since: Date.UTC(2026, 0, 1), until: Date.UTC(2026, 0, 2) },
    });
    assert.deepEqual(rangeBefore({ since: 10, until: 15 }), { since: 5, until: 10 });
    for (const text of ['1h..2h', '1h..', 'x', '1h..now', '1h..2h..3h', '..'])
      assert.equal(range(text).ok, /\.\.(now)?$/.test(text) && text !== '..', text);
  });
});

function pairText(detail: string): (one: Edge) => string {
  return ({ key }) => JSON.stringify([key.service, detail === 'path' ? key.method : '']);
}
