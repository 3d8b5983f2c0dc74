/** How long streams are worked on before others get their turn, in milliseconds: as long as the others took before, within these bounds. */
const [SHORTEST_MS, LONGEST_MS] = [2, 20];

/**
 * Does work for many streams a slice at a time: acknowledgements, certificates and logs get their turn of the event loop in between. A slice ends with
 * the first stream that takes it past its time, so streams that cost much (a first configuration) go one by one, and those that cost next to
 * nothing do not pay for a turn each. First come, first served. Where others take long themselves (a crowd asks for certificates), both have half.
 */
export class Turns<Stream> {
  readonly #work: (stream: Stream, mayGoOn: () => boolean) => boolean;
  readonly #now: () => number;
  readonly #waiting = new Set<Stream>();
  #scheduled = false;
  /** When the last slice ended, if there was more to do. */
  #ended: number | undefined;

  /**
   * @param work true when there is more to do for this stream: it goes to the end of the line. Work that can be interrupted goes on for as long as
   * it may.
   */
  constructor(work: (stream: Stream, mayGoOn: () => boolean) => boolean, now: () => number = () => performance.now()) {
    this.#work = work;
    this.#now = now;
  }

  add(stream: Stream): void {
    this.#waiting.add(stream);
    this.#schedule();
  }

  delete(stream: Stream): void {
    this.#waiting.delete(stream);
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => this.#slice());
  }

  #slice(): void {
    this.#scheduled = false;
    const began = this.#now();
    const others = began - (this.#ended ?? began);
    const end = began + Math.min(Math.max(others, SHORTEST_MS), LONGEST_MS);
    const mayGoOn = (): boolean => this.#now() < end;
    for (const stream of this.#waiting) {
      this.#waiting.delete(stream);
      if (this.#work(stream, mayGoOn)) this.#waiting.add(stream);
      if (!mayGoOn()) break;
    }
    this.#ended = this.#waiting.size === 0 ? undefined : this.#now();
    this.#schedule();
  }
}
