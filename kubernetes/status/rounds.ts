/** Does something again and again, each time so long after the last. It must not reject. Does not keep the process. */
export class Rounds {
  readonly #round: () => Promise<void>;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(round: () => Promise<void>, everyMs: number) {
    this.#round = round;
    this.#everyMs = everyMs;
    this.#later();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A round that is under way should look at `closed` between its steps. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #later(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      void this.#round().finally(() => this.#later());
    }, this.#everyMs);
    this.#timer.unref();
  }
}
