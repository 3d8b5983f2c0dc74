import { indexedBy } from './indexed-by.ts';
import { between } from './list-difference.ts';

const NONE: readonly never[] = Object.freeze([]);

/**
 * What is found in each object of a list by itself, in the list's order. For lists that share what did not change: only new objects are looked
 * at, and the answer is the same array as before where there is nothing in them.
 * @param find must depend on the object only
 */
export function foundInEach<T extends object, R>(find: (one: T) => readonly R[]): (all: readonly T[]) => readonly R[] {
  const known = new WeakMap<T, readonly R[]>();
  const answers = new WeakMap<readonly T[], readonly R[]>();
  let last: WeakRef<readonly T[]> | undefined;
  const of = (one: T): readonly R[] => {
    const before = known.get(one);
    if (before !== undefined) return before;
    const found = find(one);
    const kept = found.length === 0 ? NONE : found;
    known.set(one, kept);
    return kept;
  };
  return (all) => {
    const before = answers.get(all);
    if (before !== undefined) return before;
    const previous = last?.deref();
    const old = previous === undefined ? undefined : answers.get(previous);
    let found: readonly R[] | undefined;
    if (previous !== undefined && old !== undefined) {
      const { gone, come } = between(previous, all);
      if (gone.every((one) => of(one).length === 0) && come.every((one) => of(one).length === 0)) found = old;
    }
    found ??= all.flatMap(of);
    answers.set(all, found);
    last = new WeakRef(all);
    return found;
  };
}

/**
 * What is found in objects of a list that have a key in common, by the keys' order: only groups that changed are looked at again.
 * @param find must depend on the group only
 */
export function foundInGroups<T extends object, R>(
  keysOf: (one: T) => readonly string[],
  find: (group: readonly T[], key: string) => readonly R[],
): (all: readonly T[]) => readonly R[] {
  const groups = indexedBy<T>(keysOf);
  const answers = new WeakMap<
    readonly T[],
    { readonly byKey: ReadonlyMap<string, readonly R[]>; readonly found: readonly R[] }
  >();
  let last: WeakRef<readonly T[]> | undefined;
  return (all) => {
    const before = answers.get(all);
    if (before !== undefined) return before.found;
    const previous = last?.deref();
    const old = previous === undefined ? undefined : answers.get(previous);
    let keys: Iterable<string> = groups.keys(all);
    if (previous !== undefined && old !== undefined) {
      const { gone, come } = between(previous, all);
      keys = new Set([...gone, ...come].flatMap(keysOf));
    }
    const changed = new Map<string, readonly R[]>();
    for (const key of keys) {
      const found = find(groups(all, key), key);
      if (found.length > 0 || old?.byKey.has(key) === true) changed.set(key, found);
    }
    let answer = old;
    if (answer === undefined || changed.size > 0) {
      const byKey = new Map([...(old?.byKey ?? []), ...changed]);
      for (const [key, found] of changed) if (found.length === 0) byKey.delete(key);
      const found = [...byKey].sort(([one], [other]) => (one < other ? -1 : 1)).flatMap(([, values]) => values);
      answer = { byKey, found };
    }
    answers.set(all, answer);
    last = new WeakRef(all);
    return answer.found;
  };
}
