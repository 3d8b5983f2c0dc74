/** Frames that ask for nothing, taken in one go, and more for each second and each call that was answered. */
const [AT_ONCE, PER_SECOND, PER_CALL] = [10_000, 500, 8];

/**
 * How many frames that bring no call a client may send: pings, settings, priorities, resets, empty data. Each costs little, but none costs the
 * client more (CVE-2019-9512, -9513, -9515, -9518 and their like).
 */
export class IdleFrames {
  #left = AT_ONCE;
  #since: number;
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
    this.#since = clock();
  }

  /** Counts one; false where it is one too many. */
  spend(): boolean {
    if (--this.#left >= 0) return true;
    const now = this.#clock();
    this.#left = Math.min(AT_ONCE, Math.floor(((now - this.#since) / 1000) * PER_SECOND)) - 1;
    this.#since = now;
    return this.#left >= 0;
  }

  answered(): void {
    this.#left = Math.min(AT_ONCE, this.#left + PER_CALL);
  }
}
