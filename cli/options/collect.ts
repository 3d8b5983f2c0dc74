/** For options that may be repeated: commander hands each value and those before it. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
