/** Bytes that the queues of an agent may hold together. */
export class Budget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** For what is there already, whether or not there is room. */
  force(bytes: number): void {
    this.#left -= bytes;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}
