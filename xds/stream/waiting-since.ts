/**
 * Since when a proxy has not answered everything that was published: the time of the first publication that it has not settled. Streams
 * look at the newest only, so there are never more than two times to remember.
 */
export class WaitingSince {
  #looked: Date | undefined;
  #unlooked: Date | undefined;
  #sent = false;

  /** The first publication that is not settled; undefined when all is. */
  get since(): Date | undefined {
    return this.#looked ?? this.#unlooked;
  }

  published(at: Date): void {
    this.#unlooked ??= at;
  }

  /** All that was published up to now is taken into the stream. */
  looked(): void {
    this.#looked ??= this.#unlooked;
    this.#unlooked = undefined;
  }

  /** It changes nothing for this proxy. */
  ignored(): void {
    this.#unlooked = undefined;
  }

  sent(): void {
    this.#sent = true;
  }

  /**
   * All that was looked at is answered.
   * @returns the first publication that this settles, if anything had to be sent because of it
   */
  settled(): Date | undefined {
    const since = this.#sent ? this.#looked : undefined;
    this.#looked = undefined;
    this.#sent = false;
    return since;
  }
}
