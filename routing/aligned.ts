/** What differs between two lists in which what stayed is in the same order. */
export interface Aligned<T> {
  /** What has another in its place. */
  readonly replaced: ReadonlyMap<T, T>;
  readonly left: readonly T[];
  /** In order, with their places in the later list. */
  readonly arrived: ReadonlyMap<T, number>;
}

/**
 * @param same whether one may stand for the other
 * @returns undefined where what stayed stands in another order
 */
export function aligned<T>(before: readonly T[], after: readonly T[], same: (a: T, b: T) => boolean): Aligned<T> | undefined {
  const replaced = new Map<T, T>();
  const left: T[] = [];
  const arrived = new Map<T, number>();
  if (before === after) return { replaced, left, arrived };
  let [begin, end] = [0, 0];
  const most = Math.min(before.length, after.length);
  while (begin < most && before[begin] === after[begin]) begin += 1;
  while (end < most - begin && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const [old, now] = [before.slice(begin, before.length - end), after.slice(begin, after.length - end)];
  const [had, has] = [new Set(old), new Set(now)];
  for (let [at, to] = [0, 0]; at < old.length || to < now.length;) {
    const [one, other] = [old[at], now[to]];
    const gone = one !== undefined && !has.has(one);
    const come = other !== undefined && !had.has(other);
    if (one !== undefined && one === other) [at, to] = [at + 1, to + 1];
    else if (gone && come && same(one, other)) {
      replaced.set(one, other);
      [at, to] = [at + 1, to + 1];
    } else if (gone) {
      left.push(one);
      at += 1;
    } else if (come) {
      arrived.set(other, begin + to);
      to += 1;
    } else return undefined;
  }
  return { replaced, left, arrived };
}
