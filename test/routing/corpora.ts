import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORPORA, isPresent } from '../shared-data.ts';

/** A file of the corpora of real cases; undefined where they are not. */
export function corpusFile(...path: readonly string[]): string | undefined {
  const file = join(CORPORA, ...path);
  return isPresent(file) ? readFileSync(file, 'utf8') : undefined;
}

/** The cases of a theme; none where the corpora are not. */
export function corpusCases(theme: string): readonly unknown[] {
  const text = corpusFile(theme, 'cases.json');
  return text === undefined ? [] : (JSON.parse(text) as { readonly cases: readonly unknown[] }).cases;
}
