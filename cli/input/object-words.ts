import { KIND_NAMES, kindNamed } from './kind-names.ts';

/** Kinds and names as words of a command line say them: `vs,dr`, `vs a b`, `vs/a dr/b` or `all`; undefined: a word is no kind. */
export function askedBy(
  words: readonly string[],
): readonly { readonly kind: string; readonly names: readonly string[] }[] | undefined {
  const [first = '', ...names] = words;
  if (words.some((word) => word.includes('/'))) {
    const asked = new Map<string, string[]>();
    for (const word of words) {
      const [left = '', name = '', ...more] = word.split('/');
      const kind = kindNamed(left);
      if (kind === undefined || name === '' || more.length > 0) return undefined;
      asked.set(kind, [...(asked.get(kind) ?? []), name]);
    }
    return [...asked].map(([kind, own]) => ({ kind, names: own }));
  }
  const kinds = first === 'all' ? KIND_NAMES.map(({ kind }) => kind) : first.split(',').map(kindNamed);
  const found = kinds.filter((kind) => kind !== undefined);
  return found.length === kinds.length ? [...new Set(found)].map((kind) => ({ kind, names })) : undefined;
}
