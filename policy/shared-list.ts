const numbers = new WeakMap<object, number>();
let next = 1;

/** A number of its own for each object. */
function numberOf(value: object): number {
  const known = numbers.get(value);
  if (known !== undefined) return known;
  numbers.set(value, next);
  return next++;
}

function hashOf(list: readonly object[]): number {
  let hash = 0x811c9dc5;
  for (const value of list) hash = Math.imul(hash ^ numberOf(value), 0x01000193);
  return hash;
}

function same(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

/**
 * Gives the same array for lists of the same objects, as long as somebody holds it: so that what was made of a list, kept by its
 * identity, is found again under the next snapshot and for other workloads. The arrays are frozen.
 */
export class SharedLists<T extends object> {
  readonly #byHash = new Map<number, WeakRef<readonly T[]>[]>();
  readonly #dropped = new FinalizationRegistry<number>((hash) => {
    const left = this.#byHash.get(hash)?.filter((held) => held.deref() !== undefined) ?? [];
    if (left.length === 0) this.#byHash.delete(hash);
    else this.#byHash.set(hash, left);
  });

  shared(list: readonly T[]): readonly T[] {
    const hash = hashOf(list);
    const held = this.#byHash.get(hash) ?? [];
    for (const reference of held) {
      const known = reference.deref();
      if (known !== undefined && same(known, list)) return known;
    }
    const made = Object.freeze([...list]);
    this.#byHash.set(hash, [...held, new WeakRef(made)]);
    this.#dropped.register(made, hash);
    return made;
  }
}
