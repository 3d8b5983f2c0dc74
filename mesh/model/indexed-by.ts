import { alikeAtBegin, alikeAtEnd } from './list-difference.ts';

/** Lists by key, as a map with few changes laid over another: a change must not cost a copy of all. */
class Layered<T> {
  readonly #base: ReadonlyMap<string, readonly T[]>;
  readonly #over: ReadonlyMap<string, readonly T[]>;

  constructor(base: ReadonlyMap<string, readonly T[]>, over: ReadonlyMap<string, readonly T[]> = new Map()) {
    this.#base = base;
    this.#over = over;
  }

  get(key: string): readonly T[] | undefined {
    return this.#over.get(key) ?? this.#base.get(key);
  }

  *keys(): Iterable<string> {
    for (const [key, values] of this.#over) if (values.length > 0) yield key;
    for (const key of this.#base.keys()) if (!this.#over.has(key)) yield key;
  }

  with(changes: ReadonlyMap<string, readonly T[]>): Layered<T> {
    const over = new Map([...this.#over, ...changes]);
    if (over.size * over.size <= this.#base.size + MOST_LAID_OVER) return new Layered(this.#base, over);
    const all = new Map([...this.#base, ...over]);
    for (const [key, values] of all) if (values.length === 0) all.delete(key);
    return new Layered(all);
  }
}

const MOST_LAID_OVER = 4096;

const NONE: readonly never[] = Object.freeze([]);

function grouped<T>(values: readonly T[], keysOf: (value: T) => readonly string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    for (const key of new Set(keysOf(value))) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [value]);
      else group.push(value);
    }
  }
  return groups;
}

function sameValues<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

/** Finds the values of a list by a key. */
export interface IndexedBy<T> {
  (all: readonly T[], key: string): readonly T[];
  /** The keys that values have, in no order. */
  keys(all: readonly T[]): Iterable<string>;
}

/**
 * Finds the values of a list by a key, in the list's order. For lists of snapshots, which share what did not change: the index of one is
 * made from that of the list asked about before, at a cost that grows with the change (beside one comparison for each value). What is
 * found is the same array as long as the same values have the key; it must not be changed.
 * @param keysOf must depend on the value only
 */
export function indexedBy<T extends object>(keysOf: (value: T) => readonly string[]): IndexedBy<T> {
  const indexes = new WeakMap<readonly T[], Layered<T>>();
  let last: WeakRef<readonly T[]> | undefined;

  /** Where the values with a key go that none of what was replaced had: behind the last one before them. */
  const placeOf = (key: string, group: readonly T[], all: readonly T[], begin: number): number => {
    for (let at = begin - 1; group.length > 0 && at >= 0; at--) {
      const value = all[at];
      if (value !== undefined && keysOf(value).includes(key)) return group.indexOf(value) + 1;
    }
    return 0;
  };

  const patched = (before: readonly T[], index: Layered<T>, all: readonly T[]): Layered<T> => {
    const most = Math.min(before.length, all.length);
    const begin = alikeAtBegin(before, all, most);
    const end = alikeAtEnd(before, all, most - begin);
    const gone = grouped(before.slice(begin, before.length - end), keysOf);
    const come = grouped(all.slice(begin, all.length - end), keysOf);
    const changes = new Map<string, readonly T[]>();
    for (const key of new Set([...gone.keys(), ...come.keys()])) {
      const [old, made] = [gone.get(key) ?? NONE, come.get(key) ?? NONE];
      if (sameValues(old, made)) continue;
      const group = index.get(key) ?? NONE;
      const [first] = old;
      const at = first === undefined ? placeOf(key, group, all, begin) : group.indexOf(first);
      changes.set(key, Object.freeze([...group.slice(0, at), ...made, ...group.slice(at + old.length)]));
    }
    return changes.size === 0 ? index : index.with(changes);
  };

  const indexOf = (all: readonly T[]): Layered<T> => {
    const known = indexes.get(all);
    if (known !== undefined) return known;
    const before = last?.deref();
    const old = before && indexes.get(before);
    const made =
      before === undefined || old === undefined
        ? new Layered(new Map([...grouped(all, keysOf)].map(([key, group]) => [key, Object.freeze(group)])))
        : patched(before, old, all);
    indexes.set(all, made);
    last = new WeakRef(all);
    return made;
  };

  return Object.assign((all: readonly T[], key: string) => indexOf(all).get(key) ?? NONE, {
    keys: (all: readonly T[]) => indexOf(all).keys(),
  });
}
