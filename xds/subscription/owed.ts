export const NO_NAMES: ReadonlySet<string> = new Set();

const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** A list's names; the same set for the same list, which never changes. */
export function setOf(names: readonly string[]): ReadonlySet<string> {
  if (names.length === 0) return NO_NAMES;
  const known = sets.get(names) ?? new Set(names);
  sets.set(names, known);
  return known;
}

/** What is owed, and more. */
export function together(owed: ReadonlySet<string>, more: readonly string[]): ReadonlySet<string> {
  if (more.length === 0) return owed;
  return owed.size === 0 ? setOf(more) : new Set([...owed, ...more]);
}

/** Those of a set that are left; no names are always the same set. */
export function keep(names: ReadonlySet<string>, wanted: (name: string) => boolean): ReadonlySet<string> {
  if (names.size === 0) return names;
  const left = [...names].filter((name) => wanted(name));
  if (left.length === names.size) return names;
  return left.length === 0 ? NO_NAMES : new Set(left);
}
