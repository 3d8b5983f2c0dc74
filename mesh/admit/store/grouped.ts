import type { Difference } from './ordered.ts';
import { inserted } from './ordered.ts';
import type { Compare } from './order.ts';

const NONE: readonly never[] = Object.freeze([]);

/** Values by key, those of one key in order. */
export class Grouped<T> {
  readonly #keysOf: (value: T) => Iterable<string>;
  readonly #compare: Compare<T>;
  readonly #groups = new Map<string, readonly T[]>();

  constructor(keysOf: (value: T) => Iterable<string>, compare: Compare<T>) {
    this.#keysOf = keysOf;
    this.#compare = compare;
  }

  get(key: string): readonly T[] {
    return this.#groups.get(key) ?? NONE;
  }

  get size(): number {
    return this.#groups.size;
  }

  keys(): Iterable<string> {
    return this.#groups.keys();
  }

  /** @returns the keys of which the values changed */
  patch({ gone, come }: Difference<T>): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const value of gone) {
      for (const key of new Set(this.#keysOf(value))) {
        touched.add(key);
        const left = this.get(key).filter((one) => one !== value);
        if (left.length === 0) this.#groups.delete(key);
        else this.#groups.set(key, left);
      }
    }
    for (const value of come) {
      for (const key of new Set(this.#keysOf(value))) {
        touched.add(key);
        const before = this.#groups.get(key);
        this.#groups.set(key, before === undefined ? [value] : inserted(before, value, this.#compare));
      }
    }
    return touched;
  }
}
