import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { addEdges, type Edge, edgeOf } from '../model/edge.ts';
import type { Loss, LossReason } from '../model/loss.ts';
import type { AccessRecord } from '../model/record.ts';
import { StaleReceipt, type Store } from '../store/store.ts';
import { Cardinality } from './cardinality.ts';
import { countsAsEdge } from './counts-as-edge.ts';
import { HeldSources, type Part, placeOf } from './held-sources.ts';
import type { Entry, Follower, Ledger } from './ledger.ts';
import type { Sink } from './sink.ts';

export interface RecorderOptions {
  /** Opens the store; asked again when it is broken. */
  readonly open: () => Promise<Store>;
  readonly log: Logger;
  readonly clock: () => Date;
  /** Longest time that a record waits before it is written. */
  readonly flushMs?: number;
  /** How often the store is told that somebody is there to record, when there is nothing to write: it bounds what a gap overstates. */
  readonly heartbeatMs?: number;
  /** Different edges that may wait; a stream that brings more is paused. */
  readonly capacity?: number;
  /** Edges in one transaction. */
  readonly batch?: number;
  /** How long a stream stays paused before what it brings is counted as lost. */
  readonly patienceMs?: number;
  readonly limits?: { readonly perScope: number; readonly scopes: number };
}

/** Running totals since start, for metrics. */
export interface RecorderStats {
  readonly received: number;
  readonly counted: number;
  readonly written: number;
  readonly waiting: number;
  readonly storeErrors: number;
  readonly lost: Readonly<Record<LossReason, number>>;
}

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;
const REOPEN_AFTER = 3;

/**
 * The queue between log streams and the store. Records are added up as they come, so what waits grows with the number of
 * different edges, not of calls, and a store that is away for a while costs nothing. Beyond `capacity` streams are
 * paused. Agents then keep what they have; of proxies that send without one, what comes after `patienceMs` is counted as lost, and the
 * count goes into the store with the next batch.
 * Owns its store: opens, writes, reopens and closes it. One writer at a time.
 */
export class Recorder implements Sink, Ledger {
  readonly #options: Required<RecorderOptions>;
  readonly #bounds: Cardinality;
  readonly #heart: NodeJS.Timeout;
  readonly #held = new HeldSources();
  #waiting = new Map<string, Edge>();
  #losses = new Map<string, Loss>();
  #store: Store | undefined;
  #opening: Promise<Store> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<boolean> | undefined;
  #failures = 0;
  /** Some proxy sends without an agent. */
  #direct = false;
  #closed = false;
  /** Callers of accept that wait for room; each looks whether there is some. */
  #paused = new Set<() => void>();
  #stats = {
    received: 0,
    counted: 0,
    written: 0,
    storeErrors: 0,
    lost: { 'queue-full': 0, 'agent-queue-full': 0, malformed: 0, refused: 0, shutdown: 0 },
  };

  constructor(options: RecorderOptions) {
    this.#options = {
      flushMs: 1000,
      heartbeatMs: 10_000,
      capacity: 20_000,
      batch: 2_000,
      patienceMs: 5_000,
      limits: { perScope: 200, scopes: 10_000 },
      ...options,
    };
    this.#bounds = new Cardinality(this.#options.limits);
    this.#heart = setInterval(() => void this.#beat(), this.#options.heartbeatMs).unref();
    void this.#beat();
  }

  get stats(): RecorderStats {
    return { ...this.#stats, lost: { ...this.#stats.lost }, waiting: this.#size };
  }

  async accept(records: readonly AccessRecord[]): Promise<void> {
    this.#direct = true;
    let patient = true;
    for (const record of records) {
      this.#stats.received++;
      if (!countsAsEdge(record)) continue;
      this.#stats.counted++;
      if (this.#closed) {
        this.#stats.lost.shutdown++;
        continue;
      }
      if (this.#put(record)) continue;
      // One wait for a whole message: a stream must not stand still for as long as its records are many.
      patient &&= await this.#roomWithin(this.#options.patienceMs);
      if (!patient || !this.#put(record)) this.lose(this.#closed ? 'shutdown' : 'queue-full', 1);
    }
    this.#soon();
  }

  async follow(source: string, follower: Follower): Promise<{ readonly stored: number; readonly end: () => void }> {
    const known = this.#held.storedOf(source) ?? (await (await this.#opened()).received(source));
    // Asked again: another stream of the source may have come first.
    const stored = this.#held.storedOf(source) ?? known;
    return { stored, end: this.#held.follow(source, follower, stored) };
  }

  room(): Promise<boolean> {
    if (this.#closed || this.#size < this.#options.capacity) return Promise.resolve(!this.#closed);
    return this.#roomWithin(undefined);
  }

  take(source: string, sequence: number, entry: () => Entry): boolean {
    if (this.#closed || !this.#held.isNew(source, sequence)) return false;
    const { records, lost } = entry();
    const edges = records.filter(countsAsEdge).map((record) => this.#edgeOf(record));
    this.#stats.received += records.length;
    this.#stats.counted += edges.length;
    const losses = lost === undefined ? [] : [{ ...lost, minute: Math.floor(lost.at / 60_000) }];
    for (const { reason, count } of losses) this.#stats.lost[reason] += count;
    this.#held.take(
      source,
      sequence,
      edges,
      losses.map(({ minute, reason, count }) => ({ minute, reason, count })),
    );
    this.#soon();
    return true;
  }

  lose(reason: LossReason, count: number): void {
    const minute = this.#minute();
    const at = `${minute} ${reason}`;
    this.#losses.set(at, { minute, reason, count: (this.#losses.get(at)?.count ?? 0) + count });
    this.#stats.lost[reason] += count;
    this.#schedule(this.#options.flushMs);
  }

  /** Writes what waits now. True when all of it is in the store. */
  async flush(): Promise<boolean> {
    while (this.#hasUnwritten) {
      if (!(await this.#write())) return false;
      // A synchronous store must not keep the streams waiting for all batches.
      await setImmediate();
    }
    return true;
  }

  /** Writes what waits, counts what cannot be written, closes the store. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#heart);
    this.#wake();
    if (!(await this.flush())) {
      const count = [...this.#waiting.values()].reduce((sum, edge) => sum + edge.tally.count, 0);
      this.#stats.lost.shutdown += count;
      this.#options.log.error({ records: count }, 'the audit store could not be written at shutdown; records are lost');
    }
    await this.#release();
  }

  /** A batch with whatever is there, be it nothing; not while a failed store is tried again anyway. */
  async #beat(): Promise<void> {
    if (this.#writing === undefined && this.#failures === 0) await this.#write();
  }

  /** Edges that wait, of all ways. */
  get #size(): number {
    return this.#waiting.size + this.#held.size;
  }

  get #hasUnwritten(): boolean {
    return this.#waiting.size > 0 || this.#losses.size > 0 || this.#held.hasUnwritten;
  }

  #soon(): void {
    this.#schedule(this.#size >= this.#options.batch ? 0 : this.#options.flushMs);
  }

  #minute(): number {
    return Math.floor(this.#options.clock().getTime() / 60_000);
  }

  /** Bounds what callers can make us store, in the scope of the workload that pays for it. */
  #bounded(record: AccessRecord): AccessRecord {
    const to = `${record.destination.workload ?? ''} ${record.service ?? ''}`;
    const service =
      record.hop === 'out' && record.service
        ? this.#bounds.bound(`service ${record.source.principal ?? ''}`, record.service)
        : record.service;
    const template = record.template === '' ? '' : this.#bounds.bound(`path ${to}`, record.template);
    const plain = record.source.principal === undefined && record.source.address !== undefined;
    const source = plain ? { ...record.source, address: this.#bounds.bound(`from ${to}`, record.source.address) } : record.source;
    const marks = record.marks?.map((mark) =>
      mark.kind === 'subject' ? { ...mark, subject: this.#bounds.bound(`subject ${to}`, mark.subject) } : mark,
    );
    return { ...record, service, template, source, ...(marks === undefined ? {} : { marks }) };
  }

  #edgeOf(raw: AccessRecord): Edge {
    return edgeOf(this.#bounded(raw));
  }

  #put(record: AccessRecord): boolean {
    return this.#add(this.#edgeOf(record), this.#options.capacity);
  }

  #add(edge: Edge, capacity: number): boolean {
    const at = placeOf(edge);
    const known = this.#waiting.get(at);
    if (!known && this.#size >= capacity) return false;
    this.#waiting.set(at, known ? addEdges(known, edge) : edge);
    return true;
  }

  /** Waits until there is room, at most so long; undefined: as long as it takes. False when there is still none. */
  async #roomWithin(patienceMs: number | undefined): Promise<boolean> {
    if (this.#closed) return false;
    this.#schedule(0);
    return new Promise((resolve) => {
      const settle = (room: boolean): void => {
        clearTimeout(timer);
        this.#paused.delete(look);
        resolve(room);
      };
      const look = (): void => {
        if (this.#closed) settle(false);
        else if (this.#size < this.#options.capacity) settle(true);
      };
      const timer = patienceMs === undefined ? undefined : setTimeout(() => settle(false), patienceMs);
      this.#paused.add(look);
    });
  }

  #schedule(ms: number): void {
    if (this.#closed || this.#writing) return;
    // A timer that is set is soon enough, unless it is the regular one and this call is urgent.
    if (this.#timer && (ms > 0 || this.#failures > 0)) return;
    clearTimeout(this.#timer);
    const wait = this.#failures === 0 ? ms : Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, wait);
  }

  /** One batch at a time, also when a flush by hand meets one by the clock. */
  async #write(): Promise<boolean> {
    while (this.#writing) if (!(await this.#writing)) return false;
    this.#writing = this.#writeBatch();
    try {
      return await this.#writing;
    } finally {
      this.#writing = undefined;
      // What came while it was written set no timer; whoever waits for room is in a hurry.
      if (this.#failures > 0) this.#schedule(RETRY_MIN_MS);
      else if (this.#hasUnwritten) this.#schedule(this.#paused.size > 0 ? 0 : this.#options.flushMs);
    }
  }

  async #writeBatch(): Promise<boolean> {
    const entries = [...this.#waiting].slice(0, this.#options.batch);
    const parts = this.#held.takeOut(this.#options.batch - entries.length);
    const losses = this.#losses;
    for (const [at] of entries) this.#waiting.delete(at);
    this.#losses = new Map();
    const edges = entries.map(([, edge]) => edge);
    try {
      await (
        await this.#opened()
      ).append({
        edges: addedUp([edges, ...parts.map((part) => [...part.edges.values()])]),
        losses: [...losses.values(), ...parts.flatMap((part) => part.losses)],
        receipts: parts.map(({ receipt }) => receipt),
        direct: this.#direct,
      });
    } catch (error) {
      this.#putBack(edges, losses, parts);
      const isOurs = ({ receipt }: Part): boolean => error instanceof StaleReceipt && error.sources.includes(receipt.source);
      if (error instanceof StaleReceipt && parts.some(isOurs)) return this.#dropped(error);
      await this.#failed(error);
      return false;
    }
    if (this.#failures > 0) this.#options.log.info('the audit store can be written again');
    this.#failures = 0;
    for (const edge of edges) this.#stats.written += edge.tally.count;
    for (const part of parts) for (const edge of part.edges.values()) this.#stats.written += edge.tally.count;
    this.#held.stored(parts);
    this.#wake();
    return true;
  }

  /** Another replica has taken on some agents; what they told here they tell there again. */
  #dropped({ sources }: StaleReceipt): boolean {
    this.#options.log.debug({ sources }, 'other replicas have the logs of these agents');
    for (const source of sources) this.#held.drop(source);
    this.#wake();
    return true;
  }

  /** One at a time, whoever asks first. */
  #opened(): Promise<Store> {
    if (this.#store !== undefined) return Promise.resolve(this.#store);
    this.#opening ??= this.#options
      .open()
      .then((store) => (this.#store = store))
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** Lets those that wait for room look again; each takes itself off the list. */
  #wake(): void {
    for (const look of this.#paused) look();
  }

  async #release(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.close().catch((error: unknown) => this.#options.log.warn({ error }, 'the audit store could not be closed'));
  }

  /** What was taken out for a batch that failed goes back, above capacity if need be: it was accepted. */
  #putBack(edges: readonly Edge[], losses: ReadonlyMap<string, Loss>, parts: readonly Part[]): void {
    this.#held.putBack(parts);
    for (const edge of edges) this.#add(edge, Number.POSITIVE_INFINITY);
    for (const [at, loss] of losses) this.#losses.set(at, { ...loss, count: loss.count + (this.#losses.get(at)?.count ?? 0) });
  }

  async #failed(error: unknown): Promise<void> {
    this.#failures++;
    this.#stats.storeErrors++;
    if (this.#failures === 1)
      this.#options.log.error({ error }, 'the audit store cannot be written; records wait and it is tried again');
    if (this.#failures % REOPEN_AFTER === 0) await this.#release();
  }
}

/** One edge for each key and minute: several sources may tell of the same. */
function addedUp(lists: readonly (readonly Edge[])[]): readonly Edge[] {
  const [first = [], ...others] = lists.filter((list) => list.length > 0);
  if (others.length === 0) return first;
  const sum = new Map<string, Edge>();
  for (const edge of [first, ...others].flat()) {
    const at = placeOf(edge);
    const known = sum.get(at);
    sum.set(at, known === undefined ? edge : addEdges(known, edge));
  }
  return [...sum.values()];
}
