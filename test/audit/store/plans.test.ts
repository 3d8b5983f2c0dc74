import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { CALL_VERDICTS, type StoreFilter } from '../../../audit/model/edge-filter.ts';
import { matches } from '../../../audit/report/filter.ts';
import { conditionOf } from '../../../audit/store/filter.ts';
import { rowsOf, totalsOf } from '../../../audit/store/reading.ts';
import { answeredByTotals } from '../../../audit/store/totals.ts';
import { TALLY_SUMS } from '../../../audit/store/statements.ts';
import type { Level } from '../../../audit/store/store.ts';
import { edge } from '../edges.ts';
import { NOW } from '../world.ts';
import { allUpkeep, type Place } from './contract.ts';
import { PostgresServer } from './postgres-server.ts';
import { sqlitePlace } from './sqlite-place.ts';

const LEVELS: readonly Level[] = ['minute', 'hour', 'day'];

const FILTERS: Readonly<Record<string, StoreFilter | undefined>> = {
  nothing: undefined,
  namespace: { namespace: 'ns-7' },
  workload: { workload: 'ns-7/app-7' },
  'workload by name': { workload: 'app-7' },
  identity: { identity: 'cluster.local/ns/ns-7/sa/app-7' },
  service: { service: 'svc-7.ns-7.svc.cluster.local' },
  denied: { verdict: 'denied' },
  'would be denied': { verdict: 'would-be-denied' },
  'plain text': { verdict: 'plain-text' },
  unreached: { verdict: 'unreached' },
  'one end and the other': { from: { namespace: 'ns-7' }, to: { workload: 'ns-8/app-8' } },
  'namespace and verdict': { namespace: 'ns-7', verdict: 'allowed' },
};

const spiffe = (at: number): string => `spiffe://cluster.local/ns/ns-${at}/sa/app-${at}`;

/** A mesh of 200 namespaces; some calls in plain text, denied, nearly denied, or without an end. */
function mesh(): readonly ReturnType<typeof edge>[] {
  return Array.from({ length: 400 }, (_, index) => {
    const [from, to] = [index % 200, (index * 7 + 1) % 200];
    const one = edge({ time: NOW.getTime() - (index % 5) * 3_600_000, port: index });
    const plain = index % 20 === 3;
    return {
      ...one,
      key: {
        ...one.key,
        sourcePrincipal: plain ? '' : spiffe(from),
        sourceWorkload: `ns-${from}/app-${from}`,
        sourceAddress: plain ? '10.1.2.3' : '',
        mtls: !plain,
        destinationPrincipal: index % 20 === 9 ? '' : spiffe(to),
        destinationWorkload: index % 20 === 9 ? '' : `ns-${to}/app-${to}`,
        service: `svc-${to}.ns-${to}.svc.cluster.local`,
        ...(index % 20 === 9 && { verdict: 'unreached' as const, detail: 'UH' }),
        ...(index % 20 === 5 && { decision: 'DENY' as const, verdict: 'denied-by-rule' as const }),
        ...(index % 20 === 6 && { marks: '[["would-deny","shop/strict",0,""]]' }),
      },
    };
  });
}

const HOUR = 3_600_000;
const PERIOD = { since: NOW.getTime() - 2 * HOUR, until: NOW.getTime() + HOUR };

function statement(level: Level, filter: StoreFilter | undefined, few: boolean) {
  const unit = { minute: 60_000, hour: HOUR, day: 24 * HOUR }[level];
  const segment = { level, from: Math.floor(PERIOD.since / unit), to: Math.floor(PERIOD.until / unit) };
  const { sql, values } = rowsOf(segment, { period: PERIOD, condition: conditionOf(filter), few }, false);
  return { sql: `SELECT b.edge AS edge, ${TALLY_SUMS} ${sql} GROUP BY b.edge`, values };
}

async function filled(place: Place): Promise<void> {
  const store = await place.open({ clock: () => NOW });
  await store.append({ edges: mesh(), losses: [] });
  await allUpkeep(store);
  await store.close();
}

describe('audit: how stores are asked', function () {
  this.timeout(60_000);

  describe('SQLite reads no table of buckets from end to end, and looks edges up', () => {
    let place: Awaited<ReturnType<typeof sqlitePlace>>;
    let db: DatabaseSync;
    before(async () => {
      place = await sqlitePlace();
      await filled(place);
      db = new DatabaseSync(place.file, { readOnly: true });
    });
    after(async () => {
      db.close();
      await place.close();
    });
    for (const [name, filter] of Object.entries(FILTERS))
      if (answeredByTotals(filter))
        it(`series of ${name}, from totals`, () => {
          const { sql, values } = totalsOf({ level: 'minute', from: 1, to: 2 }, { condition: conditionOf(filter) });
          const plan = db
            .prepare(`EXPLAIN QUERY PLAN SELECT sum(b.count) ${sql} GROUP BY b.minute / 15`)
            .all(...values)
            .map(({ detail }) => String(detail));
          assert.ok(
            plan.some((line) => line.startsWith('SEARCH b USING PRIMARY KEY (edge_group=? AND minute>? AND minute<?)')),
            plan.join('\n'),
          );
        });
    for (const [name, filter] of Object.entries(FILTERS))
      for (const level of LEVELS)
        for (const few of filter === undefined ? [false] : [true, false])
          it(`${name}, by ${level}, of ${few ? 'few' : 'many'} edges`, () => {
            const { sql, values } = statement(level, filter, few);
            const plan = db
              .prepare(`EXPLAIN QUERY PLAN ${sql}`)
              .all(...values)
              .map(({ detail }) => String(detail));
            assert.ok(
              plan.some((line) => /^SEARCH b USING (PRIMARY KEY|INDEX bucket_edge) \((edge=\?|minute>\?)/.test(line)),
              plan.join('\n'),
            );
            assert.ok(!plan.some((line) => /^SCAN b\b/.test(line)), plan.join('\n'));
            if (filter !== undefined && few) assert.ok(!plan.some((line) => /^SCAN edge$/.test(line)), plan.join('\n'));
          });
  });

  it('PostgreSQL can answer each by indexes alone', async function () {
    const server = await PostgresServer.start();
    if (server === undefined) return this.skip();
    try {
      const place = await server.place();
      await filled(place);
      for (const [name, filter] of Object.entries(FILTERS))
        for (const level of LEVELS) {
          const { sql, values } = statement(level, filter, true);
          let count = 0;
          const literal = sql.replaceAll('?', () => {
            const value = values[count++];
            return typeof value === 'number' ? String(value) : `'${String(value)}'`;
          });
          // In a table that is small it rather reads all; whether there is an index for it is what is asked.
          const rows = await server.query(place.database, `SET enable_seqscan = off; EXPLAIN ${literal}`);
          const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n');
          assert.doesNotMatch(plan, /Seq Scan on bucket/, `${name} by ${level}`);
          if (filter !== undefined && !('verdict' in filter && filter.verdict === 'allowed'))
            assert.doesNotMatch(plan, /Seq Scan on edge/, name);
        }
    } finally {
      await server.close();
    }
  });

  it('chooses the same edges as reports do', async () => {
    const place = await sqlitePlace();
    await filled(place);
    const everything = (await place.read.query({ since: undefined, until: undefined })).edges;
    const asked: readonly StoreFilter[] = [
      ...['ns-7', 'ns-8', 'nobody', ''].map((namespace) => ({ namespace })),
      ...['ns-7/app-7', 'app-7', 'pp-7', '/app-7', 'nobody', ''].map((workload) => ({ workload })),
      ...[spiffe(7), spiffe(7).slice(9), 'nobody', ''].map((identity) => ({ identity })),
      ...(['allowed', 'denied', 'would-be-denied'] as const).map((verdict) => ({ verdict })),
      { namespace: 'ns-5', verdict: 'denied' },
      { workload: 'app-6', identity: spiffe(43) },
    ];
    for (const filter of asked) {
      const found = (await place.read.query({ since: undefined, until: undefined, filter })).edges;
      assert.deepEqual(
        found.map(({ key }) => key.port).sort(),
        everything
          .filter((one) => matches(one, filter))
          .map(({ key }) => key.port)
          .sort(),
        JSON.stringify(filter),
      );
    }
    const count = async (filter: StoreFilter): Promise<number> =>
      (await place.read.query({ since: undefined, until: undefined, filter })).edges.length;
    assert.deepEqual(await Promise.all(CALL_VERDICTS.map((verdict) => count({ verdict }))), [380, 20, 20, 20, 20]);
    assert.equal(await count({ from: { namespace: 'ns-7' }, to: { namespace: 'ns-50' } }), 2);
    assert.equal(await count({ service: 'svc-50.ns-50.svc.cluster.local' }), 2);
    await place.close();
  });
});
