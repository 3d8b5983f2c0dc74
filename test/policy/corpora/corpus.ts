import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORPORA, isPresent } from '../../shared-data.ts';

/** A theme of the corpus of cases from other projects, which is not part of this repository. */
export function corpusPath(theme: string): string | undefined {
  const path = join(CORPORA, theme);
  return isPresent(join(path, 'cases.json')) ? path : undefined;
}

/** The cases of a theme, as the test's own reading of them says; none where the corpus is absent. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- every test reads its own shape of case
export function casesOf<Case>(theme: string): readonly Case[] {
  const path = corpusPath(theme);
  if (path === undefined) return [];
  const { cases } = JSON.parse(readFileSync(join(path, 'cases.json'), 'utf8')) as { readonly cases: readonly Case[] };
  return cases;
}
