import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORPORA, isPresent } from '../../shared-data.ts';

export type Row = Readonly<Record<string, unknown>>;

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The cases of a theme; undefined when the corpora are not on this machine. */
export function casesOf(theme: string): readonly Row[] | undefined {
  const file = join(CORPORA, theme, 'cases.json');
  if (!isPresent(file)) return undefined;
  const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!isRow(read) || !Array.isArray(read['cases'])) throw new Error(`${file} has no cases`);
  return read['cases'].filter(isRow);
}

/** Undoes the corpora's short forms of long strings and bytes. */
export function expand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expand);
  if (!isRow(value)) return value;
  if (typeof value['@repeat'] === 'string' && typeof value['length'] === 'number')
    return value['@repeat'].repeat(value['length'] / value['@repeat'].length);
  if (typeof value['@base64'] === 'string') return value['@base64'];
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, expand(inner)]));
}
