/** At most this long after the first change of several it takes effect, however many follow. */
export const LATEST_MS = 100;
const SHORTEST_MS = 10;

/**
 * When changes are looked at: a lone one at once. While more keep coming they are taken together, at intervals that grow to
 * `LATEST_MS`, and never leave less time to everything else than they take themselves.
 */
export class Pace {
  #ended = Number.NEGATIVE_INFINITY;
  #gap = 0;

  /** @returns milliseconds from `now` until a change that is known now is looked at */
  wait(now: number): number {
    return Math.max(0, this.#ended + this.#gap - now);
  }

  /** Notes a look that found changes. */
  looked(began: number, ended: number): void {
    const quiet = began - this.#ended > LATEST_MS;
    const grown = quiet ? 0 : Math.max(SHORTEST_MS, this.#gap * 2);
    this.#gap = Math.min(LATEST_MS, Math.max(grown, ended - began));
    this.#ended = ended;
  }
}
