import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { Recorder, type RecorderOptions } from '../../audit/intake/recorder.ts';
import type { Batch, Store } from '../../audit/store/store.ts';
import { callsOf, distinct, record } from './edges.ts';
import { eventually } from '../eventually.ts';
import { NOW } from './world.ts';

/** A store in memory that refuses as long as it is told to. */
class MemoryStore implements Store {
  readonly batches: Batch[] = [];
  refuses = 0;
  refused = 0;
  beats = 0;
  opened = 0;
  closed = 0;

  readonly open = (): Promise<Store> => {
    this.opened++;
    return Promise.resolve(this);
  };

  append(batch: Batch): Promise<void> {
    if (batch.edges.length + batch.losses.length === 0) {
      this.beats++;
      return Promise.resolve();
    }
    if (this.refuses > 0) {
      this.refuses--;
      this.refused++;
      return Promise.reject(new Error('database or disk is full'));
    }
    this.batches.push(batch);
    return Promise.resolve();
  }

  query(): ReturnType<Store['query']> {
    return Promise.resolve({
      edges: this.batches.flatMap(({ edges }) => edges),
      losses: this.batches.flatMap(({ losses }) => losses),
      gaps: [],
    });
  }

  received(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }

  get calls(): number {
    return this.batches.reduce((sum, { edges }) => sum + callsOf(edges), 0);
  }

  get lost(): number {
    return this.batches.reduce((sum, { losses }) => sum + losses.reduce((of, { count }) => of + count, 0), 0);
  }
}

const SEED = 20_261_123;
const log = pino({ level: 'silent' });

describe('audit: recorder', () => {
  let store: MemoryStore;
  let recorder: Recorder;
  const start = (options: Partial<RecorderOptions> = {}): void => {
    store = new MemoryStore();
    recorder = new Recorder({ open: store.open, log, clock: () => NOW, flushMs: 5, ...options });
  };
  afterEach(async () => {
    store.refuses = 0;
    await recorder.close();
  });

  it('tells the store that it is there, from the start and while nothing comes', async () => {
    start({ heartbeatMs: 5 });
    await eventually('three beats', () => (store.beats >= 3 ? true : undefined));
    assert.equal(store.opened, 1);
  });

  it('adds up before it writes: many calls of one edge are one row', async () => {
    start();
    for (let index = 0; index < 100; index++) await recorder.accept([record({ durationUs: index })]);
    assert.equal(recorder.stats.waiting, 1);
    await eventually('the batch is written', () => store.batches[0]);
    const [edge, ...others] = store.batches.flatMap(({ edges }) => edges);
    assert.equal(others.length, 0);
    assert.deepEqual([edge?.tally.count, edge?.tally.latencyMaxUs, edge?.tally.latencySumUs], [100, 99, 4950]);
    assert.deepEqual(recorder.stats, {
      received: 100,
      counted: 100,
      written: 100,
      waiting: 0,
      storeErrors: 0,
      lost: { 'queue-full': 0, 'agent-queue-full': 0, malformed: 0, refused: 0, shutdown: 0 },
    });
  });

  it('writes in batches of the size it was told', async () => {
    start({ batch: 10 });
    await recorder.accept(distinct(35));
    assert.equal(await recorder.flush(), true);
    assert.deepEqual(
      store.batches.map(({ edges }) => edges.length),
      [10, 10, 10, 5],
    );
  });

  it('leaves out what the proxy at the other end reports', async () => {
    start();
    await recorder.accept([record({ hop: 'out', side: 'outbound' }), record({ hop: 'out', side: 'outbound', reached: false })]);
    await recorder.flush();
    assert.deepEqual([recorder.stats.received, recorder.stats.counted, store.calls], [2, 1, 1]);
  });

  it('keeps counts while the store fails, and writes each once when it works again', async () => {
    start();
    store.refuses = 4;
    await recorder.accept(distinct(20));
    await recorder.accept(distinct(20));
    await eventually('the store works again', () => (store.calls === 40 ? true : undefined));
    assert.deepEqual(
      [store.refused, recorder.stats.storeErrors, recorder.stats.written, recorder.stats.lost['queue-full']],
      [4, 4, 40, 0],
    );
    assert.ok(store.opened >= 2, 'a store that fails three times is opened anew');
    assert.equal(store.closed, store.opened - 1);
  });

  it('survives a store that cannot even be opened', async () => {
    let failures = 3;
    store = new MemoryStore();
    const open = (): Promise<Store> => (failures-- > 0 ? Promise.reject(new Error('EACCES')) : store.open());
    recorder = new Recorder({ open, log, clock: () => NOW, flushMs: 1 });
    await recorder.accept(distinct(3));
    await eventually('it is open at last', () => (store.calls === 3 ? true : undefined));
    assert.equal(recorder.stats.storeErrors, 3);
  });

  it('holds no more than its capacity: it pauses, then counts what it cannot keep, and the count is written', async () => {
    start({ capacity: 10, patienceMs: 20 });
    store.refuses = Number.POSITIVE_INFINITY;
    const began = Date.now();
    await recorder.accept(distinct(30));
    assert.ok(Date.now() - began >= 15, 'it waited');
    assert.ok(Date.now() - began < 20 * 15, 'but once for the whole message, not for each record');
    assert.deepEqual([recorder.stats.waiting, recorder.stats.lost['queue-full']], [10, 20]);
    await recorder.accept(distinct(10));
    assert.equal(recorder.stats.lost['queue-full'], 20, 'what waits already is added up, without more memory');
    store.refuses = 0;
    assert.equal(await recorder.flush(), true);
    assert.deepEqual([store.calls, store.lost], [20, 20]);
  });

  it('lets a paused stream go on when there is room', async () => {
    start({ capacity: 10, batch: 5, patienceMs: 10_000 });
    await recorder.accept(distinct(100));
    await recorder.flush();
    assert.deepEqual([store.calls, recorder.stats.lost['queue-full']], [100, 0]);
  });

  it('writes all at its end, and counts as lost what it could not write and what comes later', async () => {
    start({ flushMs: 60_000 });
    await recorder.accept(distinct(7));
    await recorder.close();
    assert.deepEqual([store.calls, store.closed], [7, 1]);
    await recorder.accept(distinct(2));
    assert.equal(recorder.stats.lost.shutdown, 2);

    start({ flushMs: 60_000 });
    store.refuses = Number.POSITIVE_INFINITY;
    await recorder.accept([...distinct(3), ...distinct(3)]);
    await recorder.close();
    assert.equal(recorder.stats.lost.shutdown, 6);
  });

  it('bounds what callers can make it store: paths and addresses beyond the limit become {other}', async () => {
    start({ limits: { perScope: 3, scopes: 10 } });
    const plain = (index: number): ReturnType<typeof record> =>
      record({
        template: `/x${'abcdefghijkl'[index] ?? ''}`,
        source: { principal: undefined, workload: undefined, address: `10.9.0.${index}` },
      });
    await recorder.accept(Array.from({ length: 12 }, (_, index) => plain(index)));
    await recorder.flush();
    const edges = store.batches.flatMap((batch) => batch.edges);
    assert.equal(edges.length, 4);
    assert.deepEqual([edges[3]?.key.path, edges[3]?.key.sourceAddress, edges[3]?.tally.count], ['{other}', '{other}', 9]);
  });

  it(`loses no count without telling, whatever fails (seed ${SEED})`, async function () {
    this.timeout(60_000);
    const step = fc.oneof(
      fc.record({ accept: fc.integer({ min: 1, max: 30 }), from: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ refuse: fc.integer({ min: 1, max: 3 }) }),
      fc.constant('flush' as const),
      fc.constant('malformed' as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.integer({ min: 1, max: 15 }), async (steps, batch) => {
        start({ capacity: 25, batch, patienceMs: 0, flushMs: 1 });
        let sent = 0;
        let malformed = 0;
        for (const at of steps) {
          if (at === 'flush') await recorder.flush();
          else if (at === 'malformed') {
            recorder.lose('malformed', 2);
            malformed += 2;
          } else if ('refuse' in at) store.refuses = at.refuse;
          else {
            await recorder.accept(distinct(at.accept, at.from));
            sent += at.accept;
          }
          const { counted, written, waiting } = recorder.stats;
          assert.equal(counted, sent);
          assert.ok(written + recorder.stats.lost['queue-full'] <= sent);
          assert.ok(waiting <= 25 + batch, `${waiting} wait`);
        }
        store.refuses = 0;
        await recorder.close();
        const { lost } = recorder.stats;
        assert.equal(store.calls + lost['queue-full'], sent);
        assert.deepEqual([lost.malformed, lost.shutdown, store.lost], [malformed, 0, malformed + lost['queue-full']]);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});
