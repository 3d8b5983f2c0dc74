import type { Logger } from 'pino';
import { type Hostname, parseHostname } from '../../mesh/model/hostname.ts';
import type { Call } from '../model/call.ts';
import type { AccessRecord } from '../model/record.ts';
import type { CallStore } from '../store/calls.ts';
import type { Observer } from './sink.ts';

export interface CallsOptions {
  /** Opens the store; asked again when it could not be used. */
  readonly open: () => CallStore;
  /** Only services of the mesh are remembered: callers may name any host. */
  readonly isService: (host: Hostname) => boolean;
  /** Calls count for as long after the last of them. */
  readonly windowMs: number;
  readonly clock: () => Date;
  readonly log: Logger;
  readonly flushMs?: number;
}

type Seen = Pick<Call, 'firstSeen' | 'lastSeen'>;
type Calls = ReadonlyMap<Hostname, Seen>;

/** Later calls are not noted anew before as much time has passed: what is asked of them is days. */
const COARSE_MS = 600_000;
const NOTHING: Calls = new Map();

/**
 * Which services each workload calls: what its own proxy says that it sent there, and no other, as several services may stand before one port.
 * Held in memory, written to the store now and then, and read from it at the start.
 */
export class CallRecorder implements Observer {
  readonly #options: CallsOptions;
  /** With the time of the call that is the first to leave the window, or an earlier one. */
  readonly #calls = new Map<string, { readonly calls: Calls; readonly oldest: number }>();
  readonly #unwritten = new Map<string, Call>();
  readonly #timer: NodeJS.Timeout;
  #store: CallStore | undefined;
  #failed = false;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#opened();
    this.#timer = setInterval(() => this.flush(), options.flushMs ?? 1_000).unref();
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

  /** Writes what is new. What cannot be written now waits. */
  flush(): void {
    if (this.#unwritten.size === 0) return;
    const store = this.#opened();
    if (store === undefined) return;
    try {
      store.write([...this.#unwritten.values()], this.#oldest());
      this.#unwritten.clear();
      this.#failed = false;
    } catch (error) {
      this.#release();
      this.#complain(error);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
    this.#release();
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

  #opened(): CallStore | undefined {
    if (this.#store !== undefined) return this.#store;
    try {
      this.#store = this.#options.open();
      for (const call of this.#store.read(this.#oldest())) this.#take(call, false);
    } catch (error) {
      this.#release();
      this.#complain(error);
    }
    return this.#store;
  }

  #release(): void {
    try {
      this.#store?.close();
    } catch {
      // It failed already, and is opened anew.
    }
    this.#store = undefined;
  }

  #complain(error: unknown): void {
    if (!this.#failed) this.#options.log.error({ error }, 'the store of calls cannot be used; it is tried again');
    this.#failed = true;
  }
}
