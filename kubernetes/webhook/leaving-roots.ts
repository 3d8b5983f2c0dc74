const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;

/** Roots that were believed a moment ago. A bundle that is narrowed stays wide for a while, so that no replica is refused that has not followed yet. */
export class LeavingRoots {
  readonly #ms: number;
  readonly #monotonic: () => number;
  /** When each was last among those of now. */
  readonly #seen = new Map<string, number>();

  constructor(ms: number, monotonic: () => number) {
    this.#ms = ms;
    this.#monotonic = monotonic;
  }

  /** The roots of now, and behind them those that were of now not long ago. */
  with(rootsPem: string): string {
    const now = this.#monotonic();
    const roots: readonly string[] = rootsPem.match(CERTIFICATE) ?? [];
    const left: string[] = [];
    for (const [root, at] of this.#seen) {
      if (roots.includes(root)) continue;
      if (now - at > this.#ms) this.#seen.delete(root);
      else left.push(root);
    }
    for (const root of roots) this.#seen.set(root, now);
    return left.length === 0 ? rootsPem : `${rootsPem.replace(/\n?$/, '\n')}${left.join('')}`;
  }
}
