interface Gap {
  readonly from: number;
  readonly until: number;
}

/** Clocks are corrected a little at a time; what is more was set, or the machine slept. */
const LEAST_MS = 30_000;
const MOST = 20;

/**
 * Times that the clock says went by and that did not: nothing was observed in them, so they are gaps in the records. A clock that was set back
 * leaves the moment at which that was: what was observed before it does not count.
 */
export class ClockJumps {
  readonly #elapsed: () => number;
  #last: { readonly wall: number; readonly elapsed: number } | undefined;
  #gaps: Gap[] = [];

  /** @param elapsed goes on evenly (ms), whatever the clock is set to */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  /** All of them until now. */
  seen(wall: number): readonly Gap[] {
    const elapsed = this.#elapsed();
    if (this.#last !== undefined) {
      const expected = this.#last.wall + elapsed - this.#last.elapsed;
      if (Math.abs(wall - expected) > LEAST_MS)
        this.#gaps = [...this.#gaps, { from: Math.min(expected, wall), until: wall }].slice(-MOST);
    }
    this.#last = { wall, elapsed };
    return this.#gaps;
  }
}
