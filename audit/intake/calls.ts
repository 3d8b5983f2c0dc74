import type { Logger } from 'pino';
import { type Hostname, parseHostname } from '../../mesh/model/hostname.ts';
import type { Call } from '../model/call.ts';
import type { AccessRecord } from '../model/record.ts';
import type { CallStore } from '../store/calls.ts';
import type { Observer } from './sink.ts';

export interface CallsOptions {
  /** Opens the store; asked again when it could not be used. */
  readonly open: () => Promise<CallStore>;
  /** Only services of the mesh are remembered: callers may name any host. */
  readonly isService: (host: Hostname) => boolean;
  /** Calls count for as long after the last of them. */
  readonly windowMs: number;
  readonly clock: () => Date;
  readonly log: Logger;
  readonly flushMs?: number;
  /** How often it is read what other replicas noted; undefined: there are none. */
  readonly refreshMs?: number | undefined;
}

type Seen = Pick<Call, 'firstSeen' | 'lastSeen'>;
type Calls = ReadonlyMap<Hostname, Seen>;

/** Later calls are not noted anew before as much time has passed: what is asked of them is days. */
const COARSE_MS = 600_000;
const NOTHING: Calls = new Map();

/**
 * Which services each workload calls: what its own proxy says that it sent there, and no other, as several services may stand before one port.
 * Held in memory, written to the store now and then, and read from it at the start: when `loaded` resolved, or the store could not be used.
 */
export class CallRecorder implements Observer {
  readonly #options: CallsOptions;
  /** With the time of the call that is the first to leave the window, or an earlier one. */
  readonly #calls = new Map<string, { readonly calls: Calls; readonly oldest: number }>();
  readonly #unwritten = new Map<string, Call>();
  readonly #timer: NodeJS.Timeout;
  readonly loaded: Promise<void>;
  #store: CallStore | undefined;
  #failed = false;
  #lastRead = Number.NEGATIVE_INFINITY;
  /** What is done with the store, one after the other. */
  #turn: Promise<void>;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.loaded = this.#exchange();
    this.#turn = this.loaded;
    this.#timer = setInterval(() => void this.flush(), options.flushMs ?? 1_000).unref();
  }

  /** The same object as long as the services are the same, and nothing was noted anew. */
  calledBy(workload: string): Calls {
    const known = this.#calls.get(workload);
    if (known === undefined) return NOTHING;
    const oldest = this.#oldest();
    if (known.oldest >= oldest) return known.calls;
    const left = new Map([...known.calls].filter(([, { lastSeen }]) => lastSeen >= oldest));
    this.#calls.set(workload, { calls: left, oldest: Math.min(...[...left.values()].map(({ lastSeen }) => lastSeen)) });
    return left;
  }

  observe(records: readonly AccessRecord[]): void {
    for (const record of records) this.#note(record);
  }

  /** Writes what is new, and reads what others noted. What cannot be written now waits. */
  async flush(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#exchange());
    return this.#turn;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#release();
  }

  async #exchange(): Promise<void> {
    const { refreshMs = Number.POSITIVE_INFINITY, clock, open } = this.#options;
    const now = clock().getTime();
    const reads = this.#store === undefined || now - this.#lastRead >= refreshMs;
    if (!reads && this.#unwritten.size === 0) return;
    try {
      this.#store ??= await open();
      if (reads) await this.#read(this.#store, now);
      await this.#write(this.#store);
      this.#failed = false;
    } catch (error) {
      await this.#release();
      this.#complain(error);
    }
  }

  async #read(store: CallStore, now: number): Promise<void> {
    // What another replica is just writing has an earlier time.
    for (const call of await store.read(Math.max(this.#oldest(), this.#lastRead - COARSE_MS))) {
      const known = this.#calls.get(call.workload)?.calls.get(call.service);
      if (known === undefined || call.lastSeen - known.lastSeen >= COARSE_MS) this.#take(call, false);
    }
    this.#lastRead = now;
  }

  async #write(store: CallStore): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const written = [...this.#unwritten];
    await store.write(
      written.map(([, call]) => call),
      this.#oldest(),
    );
    for (const [name, call] of written) if (this.#unwritten.get(name) === call) this.#unwritten.delete(name);
  }

  #note({ side, hop, source, service, time }: AccessRecord): void {
    if (side !== 'outbound' || hop !== 'out' || source.workload === undefined || service === undefined) return;
    const before = this.#calls.get(source.workload)?.calls ?? NOTHING;
    const host = parseHostname(service);
    if (host === undefined) return;
    const known = before.get(host);
    if (known !== undefined && time - known.lastSeen < COARSE_MS) return;
    if (known === undefined && !this.#options.isService(host)) return;
    this.#take({ workload: source.workload, service: host, firstSeen: time, lastSeen: time }, true);
  }

  #take(call: Call, fresh: boolean): void {
    const { calls: before, oldest } = this.#calls.get(call.workload) ?? { calls: NOTHING, oldest: call.lastSeen };
    const known = before.get(call.service) ?? call;
    const seen = {
      firstSeen: Math.min(known.firstSeen, call.firstSeen),
      lastSeen: Math.max(known.lastSeen, call.lastSeen),
    };
    const calls = new Map([...before, [call.service, seen]]);
    this.#calls.set(call.workload, { calls, oldest: Math.min(oldest, call.lastSeen) });
    if (fresh) this.#unwritten.set(`${call.workload} ${call.service}`, { ...call, ...seen });
  }

  #oldest(): number {
    return this.#options.clock().getTime() - this.#options.windowMs;
  }

  async #release(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    // It failed already, and is opened anew.
    await store?.close().catch(() => undefined);
  }

  #complain(error: unknown): void {
    if (!this.#failed) this.#options.log.error({ error }, 'the store of calls cannot be used; it is tried again');
    this.#failed = true;
  }
}
