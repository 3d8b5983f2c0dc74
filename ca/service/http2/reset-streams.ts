/** Streams remembered. Older ones are forgotten: a client has long heard of them. */
const MOST = 100;

/**
 * Streams that the server reset before their client had said everything. What is still on its way on them is ignored (RFC 9113, section 5.1): no
 * error, and no second reset.
 */
export class ResetStreams {
  readonly #streams = new Set<number>();

  add(stream: number): void {
    this.#streams.add(stream);
    const [oldest] = this.#streams;
    if (this.#streams.size > MOST && oldest !== undefined) this.#streams.delete(oldest);
  }

  /** Whether a frame may still have been on its way; after the stream's last, none may. */
  goesOn(stream: number, last: boolean): boolean {
    return last ? this.#streams.delete(stream) : this.#streams.has(stream);
  }
}
