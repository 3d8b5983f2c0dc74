import assert from 'node:assert/strict';
import { edgeId } from '../../../audit/store/digest.ts';
import type { AuditStore } from '../../../audit/store/sql-store.ts';
import { CALL_VERDICTS, type StoreFilter } from '../../../audit/model/edge-filter.ts';
import { NO_LATENCIES } from '../../../audit/model/latency.ts';
import { type Batch, type Counts, type Observed, type Period, type Receipt, StaleReceipt } from '../../../audit/store/store.ts';
import type { StoreQuestions } from '../../../audit/store/sqlite-read.ts';
import { DEFAULT_KEEPING, type Keeping } from '../../../audit/store/upkeep.ts';
import { callsOf, edge } from '../edges.ts';
import { NOW } from '../world.ts';

export const EVER: Period = { since: undefined, until: undefined };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A place for a store, empty at first. */
export interface Place {
  open(options: { readonly clock: () => Date; readonly keeping?: Keeping; readonly run?: string }): Promise<AuditStore>;
  readonly read: StoreQuestions;
  close(): Promise<void>;
}

export async function allUpkeep(store: AuditStore): Promise<void> {
  while (await store.upkeep());
}

/** What every store does, whatever keeps it. */
export function contractOf(name: string, makePlace: () => Promise<Place>): void {
  describe(`audit: what every store does: ${name}`, function () {
    this.timeout(60_000);
    let place: Place;
    let now = NOW.getTime();
    const clock = (): Date => new Date(now);
    const opened: AuditStore[] = [];
    const open = async (options: { readonly keeping?: Keeping; readonly run?: string } = {}): Promise<AuditStore> => {
      const store = await place.open({ clock, ...options });
      opened.push(store);
      return store;
    };
    const read = (period: Period = EVER): Promise<Observed> => place.read.query(period);

    beforeEach(async () => {
      now = NOW.getTime();
      place = await makePlace();
    });
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close().catch(() => undefined);
      await place.close();
    });

    it('gives back what was put in, adding up what has the same key', async () => {
      const first = edge({ durationUs: 10, status: 200, time: NOW.getTime() + 1000 });
      const second = edge({ durationUs: 30, status: 503, time: NOW.getTime() });
      const other = edge({
        verdict: { kind: 'denied-no-rule', policies: ['a/b', 'c/d'] },
        mtls: false,
        source: { principal: undefined, workload: undefined, address: '10.0.0.9' },
        template: `/"quotes"/{a,b}/\\/NULL/'ü'/😀`,
      });
      const writer = await open();
      await writer.append({ edges: [first, other, first], losses: [{ minute: first.minute, reason: 'malformed', count: 2 }] });
      await writer.append({ edges: [second], losses: [{ minute: first.minute, reason: 'malformed', count: 3 }] });
      const { edges, losses } = await place.read.query({ ...EVER, latencies: true });
      assert.deepEqual(losses, [{ minute: first.minute, reason: 'malformed', count: 5 }]);
      const sum = edges.find(({ key }) => key.decision === 'ALLOW');
      assert.deepEqual(sum?.key, first.key);
      assert.deepEqual(sum.tally, {
        count: 3,
        bytesReceived: 300,
        bytesSent: 600,
        latencySumUs: 50,
        latencyMaxUs: 30,
        latencies: [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        statuses: [0, 0, 2, 0, 0, 1],
        firstSeen: NOW.getTime(),
        lastSeen: NOW.getTime() + 1000,
      });
      assert.deepEqual(
        edges.find(({ key }) => key.decision === 'DENY'),
        other,
      );
      assert.deepEqual(
        (await read()).edges.find(({ key }) => key.decision === 'ALLOW')?.tally,
        { ...sum.tally, latencies: NO_LATENCIES },
        'how many calls took how long is read only where it was asked for',
      );
    });

    it('keeps texts that a database cannot hold as far as it can', async () => {
      const writer = await open();
      await writer.append({ edges: [edge({ template: '/a\0b' }), edge({ template: '/\uD800x' })], losses: [] });
      assert.deepEqual((await read()).edges.map(({ key }) => key.path).sort(), ['/a\uFFFDb', '/\uFFFDx'].sort());
      for (const { key } of (await read()).edges)
        assert.deepEqual((await place.read.edgeSeries({ ...EVER, edge: edgeId(key), stepMs: 60_000 }))?.key, key);
    });

    it('chooses by period: a minute counts when calls of it lie in the period', async () => {
      const at = (iso: string): ReturnType<typeof edge> => edge({ time: Date.parse(iso) });
      const writer = await open();
      await writer.append({
        edges: [at('2026-03-01T10:00:30Z'), at('2026-03-01T11:00:30Z'), at('2026-03-01T12:00:30Z')],
        losses: [],
      });
      const count = async (since?: string, until?: string): Promise<number> =>
        callsOf(
          (
            await read({
              since: since === undefined ? undefined : Date.parse(since),
              until: until === undefined ? undefined : Date.parse(until),
            })
          ).edges,
        );
      assert.equal(await count(), 3);
      assert.equal(await count('2026-03-01T11:00:30Z'), 2);
      assert.equal(await count('2026-03-01T11:00:31Z'), 1);
      assert.equal(await count(undefined, '2026-03-01T11:00:30Z'), 1);
      assert.equal(await count('2026-03-01T10:30:00Z', '2026-03-01T11:30:00Z'), 1);
    });

    it('takes a batch once, whoever brings it, and tells how far it has taken a source', async () => {
      const [one, other] = [await open(), await open()];
      const batch = (after: number, upTo: number, ...more: Receipt[]): Batch => ({
        edges: [edge()],
        losses: [],
        receipts: [{ source: 'a', after, upTo }, ...more],
      });
      assert.equal(await one.received('a'), 0);
      await one.append(batch(0, 7));
      assert.deepEqual([await other.received('a'), await other.received('b')], [7, 0]);
      const stale = async (sources: readonly string[], refused: Batch): Promise<void> =>
        assert.rejects(other.append(refused), (error) => {
          assert.ok(error instanceof StaleReceipt);
          assert.deepEqual(error.sources, sources);
          return true;
        });
      await stale(['a'], batch(0, 9));
      await stale(['a', 'c'], batch(3, 9, { source: 'b', after: 0, upTo: 1 }, { source: 'c', after: 1, upTo: 2 }));
      assert.equal(await other.received('b'), 0, 'all of it or nothing');
      await other.append(batch(7, 9, { source: 'b', after: 0, upTo: 1 }));
      assert.deepEqual([await one.received('a'), await one.received('b')], [9, 1]);
      assert.equal(callsOf((await read()).edges), 2);
    });

    it('of writers that bring the same messages at once takes one', async () => {
      const writers = [await open(), await open(), await open()];
      for (let round = 0; round < 20; round++) {
        const batch: Batch = {
          edges: [edge({ port: round }), edge({ port: round + 1000 })],
          losses: [],
          receipts: [
            { source: 'b', after: round, upTo: round + 1 },
            { source: 'a', after: round, upTo: round + 1 },
          ],
        };
        const outcomes = await Promise.allSettled(writers.map((writer) => writer.append(batch)));
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1, `round ${round}`);
        for (const outcome of outcomes)
          if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof StaleReceipt, String(outcome.reason));
      }
      assert.equal(callsOf((await read()).edges), 40);
    });

    it('adds up what several writers write to the same edges at once', async () => {
      const writers = [await open(), await open(), await open()];
      const rounds = 10;
      await Promise.all(
        writers.map(async (writer, offset) => {
          for (let round = 0; round < rounds; round++)
            await writer.append({
              // In another order each, as maps have it.
              edges: Array.from({ length: 60 }, (_, index) => edge({ port: (index * 7 + offset * 13 + round) % 60 })),
              losses: [
                { minute: 9, reason: 'malformed', count: 1 },
                { minute: 8 + offset, reason: 'queue-full', count: 1 },
              ],
            });
        }),
      );
      const { edges, losses } = await read();
      assert.deepEqual([edges.length, callsOf(edges)], [60, 60 * rounds * writers.length]);
      assert.equal(losses.find(({ minute, reason }) => minute === 9 && reason === 'malformed')?.count, 30);
    });

    it('goes on while another rolls up, and forgets edges of which nothing is left', async () => {
      const keeping: Keeping = { minutesMs: HOUR, hoursMs: DAY, daysMs: 3 * DAY };
      const [one, other] = [await open({ keeping }), await open({ keeping })];
      let written = 0;
      for (let day = 0; day < 6; day++) {
        await Promise.all([
          allUpkeep(other),
          (async () => {
            for (let round = 0; round < 5; round++) {
              await one.append({
                edges: [edge({ time: now, port: day }), edge({ time: now - 2 * HOUR, port: day })],
                losses: [],
              });
              if (day >= 3) written += 2;
            }
          })(),
        ]);
        now += DAY;
      }
      await allUpkeep(one);
      for (let round = 0; round < 3; round++) await other.upkeep();
      const { edges, forgottenBefore } = await read();
      assert.ok(forgottenBefore !== undefined && forgottenBefore <= now - 3 * DAY && forgottenBefore > now - 4 * DAY);
      assert.equal(callsOf(edges.filter(({ key }) => key.port >= 3)), written);
      assert.deepEqual(
        edges.map(({ key }) => key.port).sort(),
        [2, 3, 4, 5].filter((port) => edges.some(({ key }) => key.port === port)),
      );
      await one.append({ edges: [edge({ time: now, port: 0 })], losses: [] });
      assert.equal(
        callsOf((await read()).edges.filter(({ key }) => key.port === 0)),
        1,
        'an edge that was forgotten can come back',
      );
    });

    it('tells which certificates made the calls of an edge, also when it is kept by day, and forgets them with the rest', async () => {
      const [one, other] = [await open(), await open()];
      const call = (hours: number, certificate?: string, port = 1): ReturnType<typeof edge> =>
        edge({ time: now + hours * HOUR, port, ...(certificate === undefined ? {} : { certificate }) });
      await one.append({ edges: [call(0, 'ab'), call(0, 'ab'), call(0, '123'), call(0), call(0, 'ab', 2)], losses: [] });
      await other.append({ edges: [call(0, 'ab'), call(1, 'ab'), call(1, 'ff01')], losses: [] });
      const uses = async (period: Period = EVER, port = 1): Promise<readonly (readonly [string, number, number, number])[]> => {
        const { edges } = await place.read.query({ ...period, certificates: true });
        const found = edges.find(({ key }) => key.port === port)?.certificates ?? [];
        return found
          .map(
            ({ serial, count, firstSeen, lastSeen }) =>
              [serial, count, firstSeen - NOW.getTime(), lastSeen - NOW.getTime()] as const,
          )
          .toSorted();
      };
      const all = [
        ['123', 1, 0, 0],
        ['ab', 4, 0, HOUR],
        ['ff01', 1, HOUR, HOUR],
      ];
      assert.deepEqual(await uses(), all);
      assert.deepEqual(await uses(EVER, 2), [['ab', 1, 0, 0]]);
      const later = { since: now + HOUR, until: undefined };
      assert.deepEqual(await uses(later), [
        ['ab', 1, HOUR, HOUR],
        ['ff01', 1, HOUR, HOUR],
      ]);
      assert.ok(
        (await read()).edges.every((found) => found.certificates === undefined),
        'only where they are asked for',
      );
      now += 40 * DAY;
      await allUpkeep(one);
      for (let round = 0; round < 3; round++) await one.upkeep();
      assert.deepEqual(await uses(), all);
      assert.deepEqual(await uses(later), all.slice(1), 'a day that the period cuts has all of it');
      await one.append({ edges: [call(-40 * 24, 'ab')], losses: [] });
      for (let round = 0; round < 3; round++) await one.upkeep();
      assert.deepEqual((await uses())[1], ['ab', 5, 0, HOUR]);
      now += 400 * DAY;
      await allUpkeep(one);
      for (let round = 0; round < 3; round++) await one.upkeep();
      assert.deepEqual((await read()).edges, []);
    });

    it('has series of namespaces and verdicts as its edges have them, to the millisecond at both ends', async () => {
      const [one, other] = [await open(), await open()];
      const calls = Array.from({ length: 120 }, (_, index) => {
        const call = edge({
          time: now - index * 47_000,
          port: index % 3,
          mtls: index % 5 !== 0,
          ...(index % 4 === 1 ? { verdict: { kind: 'denied-token' as const } } : {}),
          ...(index % 7 === 2
            ? { verdict: { kind: 'unreached' as const, cause: 'UH' }, service: 'x.beyond.svc.cluster.local' }
            : {}),
          ...(index % 6 === 3 ? { marks: [{ kind: 'would-deny-no-rule' as const }] } : {}),
        });
        return index % 3 === 0
          ? { ...call, key: { ...call.key, destinationPrincipal: '', destinationWorkload: 'pay/api' } }
          : call;
      });
      await Promise.all([
        one.append({ edges: calls.slice(0, 70), losses: [] }),
        other.append({ edges: calls.slice(70), losses: [] }),
      ]);
      const filters: readonly StoreFilter[] = [
        {},
        { namespace: 'pay' },
        { namespace: 'shop' },
        { namespace: 'beyond' },
        { from: { namespace: 'shop' }, to: { namespace: 'pay' } },
        ...CALL_VERDICTS.map((verdict) => ({ namespace: 'shop', verdict })),
      ];
      for (const filter of filters)
        for (const period of [
          EVER,
          { since: now - 3_000_001, until: now - 600_500 },
          { since: now - 59_000, until: now - 100 },
        ]) {
          const points = await place.read.series({ ...period, filter, stepMs: 15 * 60_000 });
          const { edges } = await place.read.query({ ...period, filter });
          const sum = (which: keyof Counts): number => points.reduce((total, point) => total + point[which], 0);
          const counted = (which: (found: (typeof edges)[number]) => boolean): number => callsOf(edges.filter(which));
          assert.deepEqual(
            [sum('calls'), sum('denied'), sum('unreached'), sum('plainText'), sum('wouldBeDenied')],
            [
              counted(() => true),
              counted(({ key }) => key.decision === 'DENY'),
              counted(({ key }) => key.verdict === 'unreached'),
              counted(({ key }) => !key.mtls && key.verdict !== 'unreached'),
              counted(({ key }) => key.marks !== ''),
            ],
            JSON.stringify({ filter, period }),
          );
        }
    });

    it('keeps losses and receipts as long as the rest', async () => {
      const store = await open({ keeping: { ...DEFAULT_KEEPING, daysMs: 40 * DAY } });
      await store.append({
        edges: [],
        losses: [{ minute: now / 60_000, reason: 'malformed', count: 1 }],
        receipts: [{ source: 'a', after: 0, upTo: 1 }],
      });
      now += 29 * DAY;
      await allUpkeep(store);
      assert.deepEqual([(await read()).losses.length, await store.received('a')], [1, 1]);
      now += 2 * DAY;
      await allUpkeep(store);
      assert.deepEqual([(await read()).losses.length, await store.received('a')], [1, 0]);
      now += 11 * DAY;
      await allUpkeep(store);
      assert.deepEqual((await read()).losses, []);
    });

    it('says when nobody was there to record: one writer is enough', async () => {
      const at = (time: string): number => Date.parse(`2026-03-01T${time}Z`);
      const run = async (name: string, started: string, stopped: string): Promise<void> => {
        now = at(started);
        const store = await place.open({ clock, run: name });
        now = at(stopped);
        await store.close();
      };
      await run('one', '10:00:00', '11:00:00');
      await run('two', '10:30:00', '12:00:00');
      await run('three', '11:59:00', '13:00:00');
      assert.deepEqual((await read()).gaps, []);
      await run('four', '13:05:00', '14:00:00');
      assert.deepEqual((await read()).gaps, [{ from: at('13:00:00'), until: at('13:05:00'), killed: false }]);
      assert.deepEqual((await read({ since: at('13:05:00'), until: undefined })).gaps, []);
    });
  });
}
