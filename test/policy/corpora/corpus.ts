import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const corpora = process.env['GATEHOUSE_CORPORA'] ?? join(root, '..', 'shared', 'corpora');

/** A theme of the corpus of cases from other projects, which is not part of this repository. */
export function corpusPath(theme: string): string | undefined {
  const path = join(corpora, theme);
  return existsSync(join(path, 'cases.json')) ? path : undefined;
}

/** The cases of a theme, as the test's own reading of them says; none where the corpus is absent. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- every test reads its own shape of case
export function casesOf<Case>(theme: string): readonly Case[] {
  const path = corpusPath(theme);
  if (path === undefined) return [];
  const { cases } = JSON.parse(readFileSync(join(path, 'cases.json'), 'utf8')) as { readonly cases: readonly Case[] };
  return cases;
}
