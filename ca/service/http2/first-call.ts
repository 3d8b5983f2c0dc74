import { FLAG, type Frame, frame, FRAME, PREFACE } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { HeaderBlocks } from './header-block.ts';
import { headerDecoder } from './hpack/decoder.ts';
import type { Output } from './output.ts';
import { requestHead, type RequestHead } from './request-head.ts';
import { ownSettings } from './settings.ts';

/** What came of a connection before it was known whose it is: everything but what has been answered. */
export interface Arrived {
  readonly bytes: Buffer;
  /** Whether our SETTINGS have been sent. */
  readonly begun: boolean;
}

export interface FirstCallOptions {
  readonly output: Output;
  readonly isOurs: (head: RequestHead) => boolean;
  readonly concurrentStreams: number;
  /** Told once. */
  readonly decided: (whose: 'ours' | 'others', arrived: Arrived) => void;
}

/** Bytes and frames kept at most: the largest header block, a window of data, and some. With more, the connection is ours as it is. */
const [MOST_BYTES, MOST_FRAMES] = [128 * 1024, 1000];

/** Frames that make no sense before a call. */
const OF_CALLS: ReadonlySet<number> = new Set([FRAME.data, FRAME.resetStream, FRAME.pushPromise, FRAME.continuation]);

/**
 * Looks at a connection until its first call says whose it is. Clients send that call only when they have seen the server's SETTINGS, so these are
 * sent, and pings are answered; nothing else is said. The client's acknowledgement of our SETTINGS is awaited before another gets the connection,
 * who does not know of them. The client's own are acknowledged by whoever gets it, later than at once (RFC 9113, section 6.5.3). What breaks a rule
 * is ours: we say so.
 */
export class FirstCall {
  readonly #options: FirstCallOptions;
  readonly #reader = new FrameReader();
  readonly #blocks = new HeaderBlocks();
  readonly #decoder = headerDecoder();
  #kept: Buffer[] = [];
  #bytes = 0;
  #frames = 0;
  #settings: 'unsent' | 'sent' | 'acknowledged' = 'unsent';
  #state: 'preface' | 'frames' | 'others' | 'decided' = 'preface';

  constructor(options: FirstCallOptions) {
    this.#options = options;
  }

  receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (this.#state === 'preface') {
      const begins = this.#reader.begins(PREFACE);
      if (begins === undefined) return;
      if (!begins) return this.#decide('ours');
      this.#state = 'frames';
      this.#kept.push(PREFACE);
    }
    for (let next = this.#reader.next(); next !== undefined; next = this.#reader.next()) {
      if (next === 'too large') return this.#decide('ours');
      this.#take(next);
      if (this.#state === 'decided') return;
    }
    this.#sendSettings();
  }

  /** Waits no longer for a call: others may wait on. False where the client has not said that it speaks HTTP/2, or that it has our SETTINGS. */
  giveUp(): boolean {
    if (this.#state === 'decided') return true;
    if (this.#state === 'preface' || this.#settings !== 'acknowledged') return false;
    this.#decide('others');
    return true;
  }

  /** It is ours as it is, to be ended: no call is awaited. */
  leave(): void {
    if (this.#state !== 'decided') this.#decide('ours');
  }

  #take(next: Frame): void {
    const inOrder = this.#isInOrder(next);
    if (inOrder && isAcknowledgement(next) && this.#settings === 'sent') {
      this.#settings = 'acknowledged';
      if (this.#state === 'others') this.#decide('others');
      return;
    }
    this.#frames++;
    this.#bytes += next.payload.length;
    if (inOrder && isPing(next)) {
      this.#sendSettings();
      this.#options.output.add(frame(FRAME.ping, FLAG.ack, 0, next.payload));
    } else this.#kept.push(frame(next.type, next.flags, next.stream, next.payload));
    if (!inOrder || this.#bytes > MOST_BYTES || this.#frames > MOST_FRAMES) this.#decide('ours');
    else if (this.#state === 'frames' && (next.type === FRAME.headers || next.type === FRAME.continuation)) this.#headers(next);
  }

  /** Whether a frame may come now, as far as can be told before the first call. */
  #isInOrder(next: Frame): boolean {
    if (this.#frames === 0) return next.type === FRAME.settings && !isAcknowledgement(next);
    const { expecting } = this.#blocks;
    if (expecting !== undefined) return next.type === FRAME.continuation && next.stream === expecting;
    if (next.type === FRAME.ping) return isPing(next);
    if (isAcknowledgement(next)) return next.stream === 0 && next.payload.length === 0;
    return this.#state === 'others' || !OF_CALLS.has(next.type);
  }

  #headers(next: Frame): void {
    const block = this.#blocks.take(next);
    if (block === undefined) return;
    const decoded = typeof block === 'number' ? undefined : this.#decoder.decode(block.bytes);
    const head = decoded?.ok === true ? requestHead(decoded.fields) : undefined;
    if (head === undefined || this.#options.isOurs(head)) this.#decide('ours');
    else if (this.#settings === 'sent') this.#state = 'others';
    else this.#decide('others');
  }

  #sendSettings(): void {
    if (this.#settings !== 'unsent') return;
    this.#settings = 'sent';
    this.#options.output.add(ownSettings(this.#options.concurrentStreams));
  }

  #decide(whose: 'ours' | 'others'): void {
    this.#state = 'decided';
    const bytes = Buffer.concat([...this.#kept, this.#reader.rest()]);
    this.#kept = [];
    this.#options.decided(whose, { bytes, begun: this.#settings !== 'unsent' });
  }
}

function isAcknowledgement({ type, flags }: Frame): boolean {
  return type === FRAME.settings && (flags & FLAG.ack) !== 0;
}

function isPing({ type, flags, stream, payload }: Frame): boolean {
  return type === FRAME.ping && (flags & FLAG.ack) === 0 && stream === 0 && payload.length === 8;
}
