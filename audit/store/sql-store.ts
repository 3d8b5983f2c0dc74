import { add, type Edge, type EdgeKey, keyText, type Tally } from '../model/edge.ts';
import { UseSums } from './certificate-uses.ts';
import { edgeDigest } from './digest.ts';
import { folded, type RollupState } from './levels.ts';
import { edgeSeries, observe, rollupState, series } from './reading.ts';
import { integer, keyColumns, tallyColumns } from './row.ts';
import { setTimeout } from 'node:timers/promises';
import { CommitUnknown, type Engine, type Session, type SqlValue } from './sql.ts';
import { BUCKETS, EDGE, FIRST_RECEIPT, LOSS, NEXT_RECEIPT, SELECT_RECEIPT } from './statements.ts';
import { type Batch, type HistoryReader, type Question, type Receipt, StaleReceipt, type Store } from './store.ts';
import { Groups } from './totals.ts';
import { type Cursors, type Keeping, upkeepStep } from './upkeep.ts';

/** A store with all that the control plane needs of it. */
export interface AuditStore extends Store, HistoryReader {
  /** A small piece of rolling up and deleting; true when there is more to do at once. */
  upkeep(): Promise<boolean>;
}

export interface StoreOptions {
  readonly clock: () => Date;
  readonly keeping: Keeping;
  /** Tells runs of control planes apart; one for the life of a process. */
  readonly run: string;
}

const MAX_KNOWN = 50_000;
const TRIES = 3;
const ASK_AGAIN_MS = 500;

const byNumber = (a: readonly number[], b: readonly number[]): number => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0);

/** PostgreSQL takes no NUL in a text, and neither engine half a character. */
function storable(key: EdgeKey): EdgeKey {
  const text = JSON.stringify(key);
  if (!/\\u0000|\\ud[89a-f]/.test(text)) return key;
  const clean = (value: string): string => value.toWellFormed().replaceAll('\0', '\uFFFD');
  return {
    ...key,
    sourceWorkload: clean(key.sourceWorkload),
    sourceAddress: clean(key.sourceAddress),
    destinationWorkload: clean(key.destinationWorkload),
    service: clean(key.service),
    method: clean(key.method),
    path: clean(key.path),
    policy: clean(key.policy),
    detail: clean(key.detail),
    marks: clean(key.marks),
  };
}

export function readerOf(engine: Engine): HistoryReader {
  return {
    query: (question) => engine.read((session) => observe(session, question)),
    series: (question) => engine.read((session) => series(session, question)),
    edgeSeries: (question) => engine.read((session) => edgeSeries(session, question)),
    close: () => engine.close(),
  };
}

/** Adds up what has the same place, so that no statement adds to a row twice. In the order of places, as all writers lock rows in it. */
class Sums {
  readonly #rows = new Map<string, readonly [number, number, Tally]>();

  add(at: number, edge: number, tally: Tally): void {
    const place = `${at} ${edge}`;
    const known = this.#rows.get(place);
    this.#rows.set(place, [at, edge, known === undefined ? tally : add(known[2], tally)]);
  }

  rows(): readonly (readonly SqlValue[])[] {
    return [...this.#rows.values()]
      .sort((a, b) => byNumber([a[0], a[1]], [b[0], b[1]]))
      .map(([at, edge, tally]) => [at, edge, ...tallyColumns(tally)]);
  }
}

/** The store of one control plane in a database of either engine. */
class SqlStore implements AuditStore {
  readonly #engine: Engine;
  readonly #options: StoreOptions;
  readonly #writer: number;
  readonly #cursors: Cursors = { hour: 0, day: 0, orphan: 0, use: 0 };
  /** Row ids of keys that were written before; emptied when a transaction fails, since it may hold ids of that one. */
  readonly #known = new Map<string, number>();
  readonly #groups = new Groups();
  readonly #closing = new AbortController();
  #batch = 0;

  constructor(engine: Engine, options: StoreOptions, writer: number) {
    this.#engine = engine;
    this.#options = options;
    this.#writer = writer;
  }

  async append(batch: Batch): Promise<void> {
    const number = ++this.#batch;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#engine.write('shared', (session) => this.#append(session, batch, number));
      } catch (error) {
        this.#known.clear();
        this.#groups.clear();
        if (error instanceof CommitUnknown && (await this.#arrived(number))) return;
        if (attempt === TRIES || !this.#engine.worthRetrying(error)) throw error;
      }
    }
  }

  query(question: Question): ReturnType<AuditStore['query']> {
    return this.#engine.read((session) => observe(session, question));
  }

  series(question: Parameters<AuditStore['series']>[0]): ReturnType<AuditStore['series']> {
    return this.#engine.read((session) => series(session, question));
  }

  edgeSeries(question: Parameters<AuditStore['edgeSeries']>[0]): ReturnType<AuditStore['edgeSeries']> {
    return this.#engine.read((session) => edgeSeries(session, question));
  }

  async received(source: string): Promise<number> {
    return this.#engine.read(async (session) => {
      const [row] = await session.all(SELECT_RECEIPT, source);
      return row === undefined ? 0 : integer(row, 'sequence');
    });
  }

  async upkeep(): Promise<boolean> {
    const { clock, keeping } = this.#options;
    return this.#engine.write('alone', (session) => upkeepStep(session, clock().getTime(), keeping, this.#cursors));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    try {
      await this.#engine.write('shared', (session) =>
        session.run('UPDATE writer SET stopped = ? WHERE id = ?', this.#options.clock().getTime(), this.#writer),
      );
    } finally {
      await this.#engine.close();
    }
  }

  /** Asks until there is an answer: a batch that is tried again must not count twice. */
  async #arrived(number: number): Promise<boolean> {
    for (;;) {
      try {
        // Waits for the transaction that broke, if the server is still at it: that one has changed this row.
        const [row] = await this.#engine.write('shared', (session) =>
          session.all('UPDATE writer SET batch = batch WHERE id = ? RETURNING batch', this.#writer),
        );
        return row !== undefined && integer(row, 'batch') === number;
      } catch (error) {
        if (this.#closing.signal.aborted) throw error;
        await setTimeout(ASK_AGAIN_MS, undefined, { signal: this.#closing.signal });
      }
    }
  }

  /** Rows are locked in one order by all writers: receipts, edges, minutes, hours, days, certificates, totals, losses, each sorted. */
  async #append(session: Session, { edges, losses, receipts = [], direct = true }: Batch, number: number): Promise<void> {
    const now = this.#options.clock().getTime();
    await this.#takeReceipts(session, receipts, now);
    const state = await rollupState(session);
    await this.#addEdges(session, edges, state);
    const lost = new Map<string, readonly [number, string, number]>();
    for (const { minute, reason, count } of losses)
      lost.set(`${minute} ${reason}`, [minute, reason, count + (lost.get(`${minute} ${reason}`)?.[2] ?? 0)]);
    await session.add(
      LOSS,
      [...lost.values()].sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)),
    );
    await session.run(
      'UPDATE writer SET last_write = ?, batch = ?, direct = ? WHERE id = ?',
      now,
      number,
      direct ? 1 : 0,
      this.#writer,
    );
  }

  async #addEdges(session: Session, edges: readonly Edge[], state: RollupState): Promise<void> {
    if (edges.length === 0) return;
    const ids = await this.#idsOf(session, edges);
    const [minutes, hours, days] = [new Sums(), new Sums(), new Sums()];
    const uses = new UseSums();
    for (const [index, { minute, tally, certificates }] of edges.entries()) {
      const id = ids[index];
      if (id === undefined) throw new Error('an edge has no row id');
      const [hour, day] = [Math.floor(minute / 60), Math.floor(minute / 1440)];
      if (minute >= state.minutesFrom) minutes.add(minute, id, tally);
      if (hour >= state.hoursFrom && folded('hour', hour, id, state)) hours.add(hour, id, tally);
      if (day >= state.daysFrom && folded('day', day, id, state)) days.add(day, id, tally);
      if (day >= state.daysFrom && certificates !== undefined) uses.add(id, hour, certificates);
    }
    await session.add(BUCKETS.minute, minutes.rows());
    await session.add(BUCKETS.hour, hours.rows());
    await session.add(BUCKETS.day, days.rows());
    await uses.write(session);
    const kept = edges.filter(({ minute }) => minute >= state.minutesFrom);
    await this.#groups.write(
      session,
      kept.map(({ key, minute, tally }) => [storable(key), minute, tally.count] as const),
    );
  }

  async #idsOf(session: Session, edges: readonly Edge[]): Promise<readonly (number | undefined)[]> {
    const texts = edges.map(({ key }) => keyText(key));
    if (this.#known.size + texts.length > MAX_KNOWN) this.#known.clear();
    const unknown = new Map<string, { readonly text: string; readonly key: EdgeKey; readonly digest: Uint8Array }>();
    for (const [index, { key }] of edges.entries()) {
      const text = texts[index] ?? '';
      if (this.#known.has(text)) continue;
      const clean = storable(key);
      const digest = edgeDigest(clean);
      unknown.set(text, { text, key: clean, digest });
    }
    if (unknown.size > 0) await this.#learn(session, [...unknown.values()]);
    return texts.map((text) => this.#known.get(text));
  }

  async #learn(
    session: Session,
    wanted: readonly { readonly text: string; readonly key: EdgeKey; readonly digest: Uint8Array }[],
  ): Promise<void> {
    const hex = (digest: unknown): string => (digest instanceof Uint8Array ? Buffer.from(digest).toString('hex') : '');
    const ids = new Map<string, number>();
    const find = async (digests: readonly Uint8Array[]): Promise<void> => {
      for (const row of await session.edgeIds(digests)) ids.set(hex(row['digest']), integer(row, 'id'));
    };
    await find(wanted.map(({ digest }) => digest));
    const missing = new Map(wanted.map((one) => [hex(one.digest), one] as const).filter(([name]) => !ids.has(name)));
    if (missing.size > 0) {
      const sorted = [...missing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
      await session.add(
        EDGE,
        sorted.map(({ key, digest }) => [digest, ...keyColumns(key)]),
      );
      await find(sorted.map(({ digest }) => digest));
    }
    for (const { text, digest } of wanted) {
      const id = ids.get(hex(digest));
      if (id !== undefined) this.#known.set(text, id);
    }
  }

  async #takeReceipts(session: Session, receipts: readonly Receipt[], now: number): Promise<void> {
    const stale = new Set<string>();
    for (const { source, after, upTo } of receipts.toSorted((a, b) => (a.source < b.source ? -1 : 1))) {
      const taken =
        after === 0
          ? await session.run(FIRST_RECEIPT, source, upTo, now)
          : await session.run(NEXT_RECEIPT, upTo, now, source, after);
      if (taken === 0) stale.add(source);
    }
    if (stale.size > 0) throw new StaleReceipt(receipts.map(({ source }) => source).filter((source) => stale.has(source)));
  }
}

/** The store in a database whose schema is of this version. Says at once that a writer is there. */
export async function storeOn(engine: Engine, options: StoreOptions): Promise<AuditStore> {
  const now = options.clock().getTime();
  const [row = {}] = await engine.write('shared', (session) =>
    session.all('INSERT INTO writer (started, last_write, run) VALUES (?, ?, ?) RETURNING id', now, now, options.run),
  );
  return new SqlStore(engine, options, integer(row, 'id'));
}
