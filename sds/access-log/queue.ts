import type { Budget } from './budget.ts';
import { entryCount } from './entry-count.ts';
import type { Spool } from './spool.ts';

/** What Envoy gave, or how many records there was no room for. */
export type Waiting =
  | {
      readonly sequence: number;
      readonly kind: 'logs';
      readonly nodeId: string;
      readonly logName: string;
      readonly logs: Uint8Array;
    }
  /** `at`: seconds since the epoch. */
  | { readonly sequence: number; readonly kind: 'lost'; readonly count: number; readonly at: number };

export interface QueueOptions {
  /** Tells this queue from all others. */
  readonly source: string;
  /** What an agent before this one left. */
  readonly left?: readonly Waiting[];
  readonly limitBytes: number;
  readonly budget: Budget;
  /** Where it is written down, to outlive the agent. */
  readonly spool: Spool | undefined;
  readonly now: () => number;
}

export interface QueueStats {
  readonly messages: number;
  readonly bytes: number;
  /** Records that there was no room for. */
  readonly lost: number;
}

/** What an entry costs beside its bytes. */
const OVERHEAD = 128;
/** A count of lost records that grows is written down no more often. */
const WRITE_LOSS_MS = 1_000;

/**
 * Messages on their way to the control plane, until it has them in its store. Bounded: what there is no room for is counted, and the count
 * goes the same way. What is newest is left out, since what is older may be in the store already.
 */
export class LogQueue {
  readonly source: string;
  readonly #options: QueueOptions;
  #entries: Waiting[] = [];
  /** Entries before this one were acknowledged; the array is cut now and then. */
  #first = 0;
  /** The next to send. */
  #next = 0;
  #sequence = 0;
  #bytes = 0;
  #inFlight = 0;
  #lost = 0;
  #lossWritten = 0;

  constructor(options: QueueOptions) {
    this.source = options.source;
    this.#options = options;
    for (const waiting of options.left ?? []) {
      this.#entries.push(waiting);
      this.#sequence = Math.max(this.#sequence, waiting.sequence);
      this.#bytes += sizeOf(waiting);
    }
    options.budget.force(this.#bytes);
  }

  get isEmpty(): boolean {
    return this.#first === this.#entries.length;
  }

  /** Bytes that were sent and not acknowledged. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get stats(): QueueStats {
    return { messages: this.#entries.length - this.#first, bytes: this.#bytes, lost: this.#lost };
  }

  push(nodeId: string, logName: string, logs: Uint8Array): void {
    const { limitBytes, budget, spool } = this.#options;
    const size = logs.length + OVERHEAD;
    if (this.#bytes + size > limitBytes || !budget.take(size)) return this.#lose(Math.max(1, entryCount(logs)));
    // Of its own memory: what came is a part of a larger piece.
    const waiting: Waiting = { sequence: ++this.#sequence, kind: 'logs', nodeId, logName, logs: Uint8Array.from(logs) };
    this.#bytes += size;
    this.#entries.push(waiting);
    spool?.append(waiting);
  }

  /** What is to be sent next, about as many bytes as wanted; empty when all was. */
  take(wanted: number): readonly Waiting[] {
    const from = this.#next;
    let size = 0;
    while (this.#next < this.#entries.length && size < wanted) {
      const waiting = this.#entries[this.#next++];
      if (waiting !== undefined) size += sizeOf(waiting);
    }
    this.#inFlight += size;
    return this.#entries.slice(from, this.#next);
  }

  /** The connection was lost: what was not acknowledged is sent again. */
  rewind(): void {
    this.#next = this.#first;
    this.#inFlight = 0;
  }

  acknowledge(stored: number): void {
    let freed = 0;
    for (let waiting = this.#entries[this.#first]; waiting !== undefined && waiting.sequence <= stored;) {
      const size = sizeOf(waiting);
      freed += size;
      if (this.#first < this.#next) this.#inFlight -= size;
      waiting = this.#entries[++this.#first];
    }
    this.#next = Math.max(this.#next, this.#first);
    this.#bytes -= freed;
    this.#options.budget.give(freed);
    if (this.#first > 1_000 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#next -= this.#first;
      this.#first = 0;
    }
    this.#options.spool?.forget(stored, this.isEmpty);
  }

  /** What is left stays where it was written down; without such a place it is gone, and how many records that are is the answer. */
  close(): number {
    const left = this.#entries.slice(this.#first);
    for (const waiting of left) if (waiting.kind === 'lost') this.#options.spool?.append(waiting);
    const kept = this.#options.spool?.close(this.isEmpty) ?? false;
    this.#options.budget.give(this.#bytes);
    return kept
      ? 0
      : left.reduce((sum, waiting) => sum + (waiting.kind === 'lost' ? waiting.count : entryCount(waiting.logs)), 0);
  }

  #lose(count: number): void {
    const { now, spool } = this.#options;
    this.#lost += count;
    const at = Math.floor(now() / 60_000) * 60;
    const last = this.#entries.at(-1);
    const grows = last?.kind === 'lost' && last.at === at && this.#next < this.#entries.length;
    const waiting: Waiting = grows
      ? { ...last, count: last.count + count }
      : { sequence: ++this.#sequence, kind: 'lost', count, at };
    if (grows) this.#entries.pop();
    else {
      // There is always room for a count: one a minute, or one for each answer of the control plane.
      this.#bytes += OVERHEAD;
      this.#options.budget.force(OVERHEAD);
    }
    this.#entries.push(waiting);
    if (grows && now() - this.#lossWritten < WRITE_LOSS_MS) return;
    this.#lossWritten = now();
    spool?.append(waiting);
  }
}

function sizeOf(waiting: Waiting): number {
  return waiting.kind === 'logs' ? waiting.logs.length + OVERHEAD : OVERHEAD;
}
