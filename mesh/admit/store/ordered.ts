import type { Compare } from './order.ts';

/** What left a list and what came into it. */
export interface Difference<T> {
  readonly gone: readonly T[];
  readonly come: readonly T[];
}

export const NO_DIFFERENCE: Difference<never> = Object.freeze({ gone: Object.freeze([]), come: Object.freeze([]) });

/** Above this share of a list it is cheaper to sort it again than to look up every place. */
const FEW = 1 / 16;

/** A frozen list in a total order: the same array as long as nothing in it changes, and a patched copy when something does. */
export class Ordered<T> {
  readonly #compare: Compare<T>;
  #values: readonly T[] = Object.freeze([]);

  constructor(compare: Compare<T>) {
    this.#compare = compare;
  }

  get values(): readonly T[] {
    return this.#values;
  }

  patch({ gone, come }: Difference<T>): void {
    if (gone.length === 0 && come.length === 0) return;
    if (gone.length + come.length > this.#values.length * FEW) {
      const left = new Set(gone);
      this.#values = Object.freeze([...this.#values.filter((value) => !left.has(value)), ...come].sort(this.#compare));
      return;
    }
    const next = [...this.#values];
    for (const value of gone) {
      const at = this.#find(next, value);
      if (at >= 0) next.splice(at, 1);
    }
    for (const value of come) next.splice(firstAfter(next, value, this.#compare), 0, value);
    this.#values = Object.freeze(next);
  }

  #find(values: readonly T[], value: T): number {
    for (let at = firstAfter(values, value, this.#compare) - 1; at >= 0; at--) {
      const candidate = values[at];
      if (candidate === value) return at;
      if (candidate !== undefined && this.#compare(candidate, value) < 0) break;
    }
    return values.indexOf(value);
  }
}

/** Where a value goes behind those that are not greater. */
function firstAfter<T>(values: readonly T[], value: T, compare: Compare<T>): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = values[middle];
    if (candidate !== undefined && compare(candidate, value) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Inserts into a list that is kept in order. */
export function inserted<T>(values: readonly T[], value: T, compare: Compare<T>): readonly T[] {
  const at = firstAfter(values, value, compare);
  return [...values.slice(0, at), value, ...values.slice(at)];
}
