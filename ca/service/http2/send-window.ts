import type { FramedMessage } from '../framed.ts';
import { headFrame, okFrame, wholeAnswer } from './answer.ts';
import { FRAME, frame, LARGEST_PAYLOAD } from './frame.ts';
import type { Output } from './output.ts';
import { DEFAULT_WINDOW, LARGEST_WINDOW } from './settings.ts';
import type { Stream } from './stream.ts';

interface Blocked {
  readonly stream: Stream;
  readonly bytes: Buffer;
  sent: number;
}

/** Sends messages as far as the client's windows allow, and the rest when it gives more room (RFC 9113, section 5.2). */
export class SendWindow {
  /** Bytes that streams may send when they begin. */
  initial = DEFAULT_WINDOW;
  #connection = DEFAULT_WINDOW;
  readonly #blocked = new Map<number, Blocked>();
  readonly #output: Output;
  readonly #sent: (stream: Stream) => void;

  /** @param sent told when a whole answer is on its way */
  constructor(output: Output, sent: (stream: Stream) => void) {
    this.#output = output;
    this.#sent = sent;
  }

  send(stream: Stream, message: FramedMessage, tellTable: boolean): void {
    const { bytes } = message;
    if (this.#blocked.size === 0 && bytes.length <= Math.min(this.#connection, stream.sendWindow, LARGEST_PAYLOAD)) {
      this.#connection -= bytes.length;
      this.#output.add(wholeAnswer(stream.id, message, tellTable));
      this.#sent(stream);
      return;
    }
    this.#output.add(headFrame(stream.id, tellTable));
    const blocked = { stream, bytes, sent: 0 };
    this.#blocked.set(stream.id, blocked);
    this.#push(blocked);
  }

  /** More room for the connection. False where that is more than there may be (RFC 9113, section 6.9.1). */
  grantConnection(more: number): boolean {
    const full = this.#connection <= 0;
    this.#connection += more;
    if (this.#connection > LARGEST_WINDOW) return false;
    // Otherwise it was their own windows that streams waited for.
    if (full) this.#pump();
    return true;
  }

  /** More room for one stream. False where that is more than there may be. */
  grant(stream: Stream, more: number): boolean {
    stream.sendWindow += more;
    if (stream.sendWindow > LARGEST_WINDOW) return false;
    const blocked = this.#blocked.get(stream.id);
    if (blocked !== undefined) this.#push(blocked);
    return true;
  }

  /** Another first window, for open streams too (RFC 9113, section 6.9.2). False where one has more than there may be then. */
  resize(initial: number, streams: Iterable<Stream>): boolean {
    const change = initial - this.initial;
    this.initial = initial;
    for (const stream of streams) {
      stream.sendWindow += change;
      if (stream.sendWindow > LARGEST_WINDOW) return false;
    }
    this.#pump();
    return true;
  }

  forget(stream: Stream): void {
    this.#blocked.delete(stream.id);
  }

  #pump(): void {
    for (const blocked of this.#blocked.values()) {
      if (this.#connection <= 0) return;
      this.#push(blocked);
    }
  }

  #push(blocked: Blocked): void {
    const { stream, bytes } = blocked;
    while (blocked.sent < bytes.length) {
      const length = Math.min(bytes.length - blocked.sent, this.#connection, stream.sendWindow, LARGEST_PAYLOAD);
      if (length <= 0) return;
      this.#output.add(frame(FRAME.data, 0, stream.id, bytes.subarray(blocked.sent, blocked.sent + length)));
      blocked.sent += length;
      this.#connection -= length;
      stream.sendWindow -= length;
    }
    this.#blocked.delete(stream.id);
    this.#output.add(okFrame(stream.id));
    this.#sent(stream);
  }
}
