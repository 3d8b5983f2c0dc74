import { FRAME, numberFrame } from './frame.ts';
import type { Output } from './output.ts';

/** Lets a client send on: the connection's or one stream's window for what it sends (RFC 9113, section 5.2). */
export class ReceiveWindow {
  readonly #stream: number;
  #allowed: number;
  #taken = 0;

  /** @param allowed bytes that may come before more is given */
  constructor(stream: number, allowed: number) {
    this.#stream = stream;
    this.#allowed = allowed;
  }

  /** Counts bytes that came. False where they are more than may come. */
  take(length: number): boolean {
    this.#taken += length;
    return this.#taken <= this.#allowed;
  }

  /** Gives as much again as came, once that is much of the window. */
  grant(output: Output): void {
    if (this.#taken * 2 <= this.#allowed) return;
    output.add(numberFrame(FRAME.windowUpdate, this.#stream, this.#taken));
    this.#taken = 0;
  }

  widen(more: number, output: Output): void {
    this.#allowed += more;
    output.add(numberFrame(FRAME.windowUpdate, this.#stream, more));
  }
}
