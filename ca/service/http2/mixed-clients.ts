/** As long as a client may take to connect again and repeat what it was sent away with. */
const REMEMBERED_MS = 10_000;
const MOST_REMEMBERED = 10_000;

/**
 * The addresses of clients that lately called for certificates and for other methods on one connection. Where such a client comes again, its calls
 * for certificates race with the others: were one of them first, all would be sent away once more, and clients make a call again only once. So
 * its connections go to grpc-js, whatever is first. Others behind the same address go there too for a while; they lose nothing but speed.
 */
export class MixedClients {
  readonly #until = new Map<string, number>();
  readonly #clock: () => number;

  /** @param clock milliseconds, monotonic */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(address: string): void {
    // Moves it to the end: the Map's order is that of the ends.
    this.#until.delete(address);
    this.#until.set(address, this.#clock() + REMEMBERED_MS);
    if (this.#until.size > MOST_REMEMBERED) this.#until.delete(this.#until.keys().next().value ?? '');
  }

  has(address: string): boolean {
    const until = this.#until.get(address);
    if (until === undefined) return false;
    if (this.#clock() < until) return true;
    this.#until.delete(address);
    return false;
  }
}
