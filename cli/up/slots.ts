// Pods are numbered from 1; a pod's number gives its addresses. A number is kept while its pod is there, and the number
// that has been free longest is given next, so that an address does not go from one workload to another in an instant.

const LARGEST = 60_000;

export class Slots {
  readonly #taken = new Map<string, number>();
  readonly #free: number[] = [];
  #next = 1;

  /** The number of a pod, new or the one it has; undefined when there are too many pods. */
  take(pod: string): number | undefined {
    const known = this.#taken.get(pod);
    if (known !== undefined) return known;
    const slot = this.#next <= 200 ? this.#next++ : (this.#free.shift() ?? this.#next++);
    if (slot > LARGEST) return undefined;
    this.#taken.set(pod, slot);
    return slot;
  }

  release(pod: string): void {
    const slot = this.#taken.get(pod);
    if (slot === undefined) return;
    this.#taken.delete(pod);
    this.#free.push(slot);
  }
}

/** The last two octets for a slot; .0 and .255 of each 256 are left out: 1 -> `0.1`, 254 -> `0.254`, 255 -> `1.1`. */
export function octets(slot: number): string {
  const index = slot - 1;
  return `${Math.floor(index / 254)}.${(index % 254) + 1}`;
}
