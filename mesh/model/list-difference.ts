/** How many values two lists begin with alike, of `most`. */
export function alikeAtBegin(a: readonly unknown[], b: readonly unknown[], most: number): number {
  let count = 0;
  while (count < most && a[count] === b[count]) count += 1;
  return count;
}

/** How many values two lists end with alike, of `most`. */
export function alikeAtEnd(a: readonly unknown[], b: readonly unknown[], most: number): number {
  let [left, right] = [a.length - 1, b.length - 1];
  let count = 0;
  while (count < most && a[left] === b[right]) {
    left -= 1;
    right -= 1;
    count += 1;
  }
  return count;
}

export interface Between<T> {
  readonly gone: readonly T[];
  readonly come: readonly T[];
}

/** What stands between the first and the last difference of two lists, in each of them. Values that only stand elsewhere may be in both. */
export function between<T>(before: readonly T[], after: readonly T[]): Between<T> {
  const most = Math.min(before.length, after.length);
  const begin = alikeAtBegin(before, after, most);
  const end = alikeAtEnd(before, after, most - begin);
  return { gone: before.slice(begin, before.length - end), come: after.slice(begin, after.length - end) };
}
