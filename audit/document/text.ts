import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import { visible } from '../report/visible.ts';
import type { Document, Section, Table } from './document.ts';

const GAP = '  ';

/** SPIFFE IDs without their scheme, as policies write them. */
function shown(text: string): string {
  return withoutScheme(visible(text)) || '-';
}

/** Aligned columns for a terminal: the rows are gone through twice, first for their widths. */
function* tableOf({ columns, rows }: Table): Generator<string> {
  const kept = columns.flatMap(({ wide }, index) => (wide === true ? [] : [index]));
  const titles = kept.map((index) => (columns[index]?.title ?? '').replace(' identity', '').toUpperCase());
  const widths = titles.map(({ length }) => length);
  for (const row of rows()) {
    for (const [at, index] of kept.entries()) widths[at] = Math.max(widths[at] ?? 0, shown(row[index]?.text ?? '').length);
  }
  const line = (cells: readonly string[]): string =>
    `${cells
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join(GAP)
      .trimEnd()}\n`;
  yield line(titles);
  for (const row of rows()) yield line(kept.map((index) => shown(row[index]?.text ?? '')));
}

function isEmpty({ rows }: Table): boolean {
  return rows()[Symbol.iterator]().next().done === true;
}

function* sectionOf(
  { heading, paragraphs = [], table, whenEmpty = 'None.', picture }: Section,
  alone: boolean,
): Generator<string> {
  if (table === undefined && picture !== undefined) return;
  yield alone ? '\n' : `\n${visible(heading)}\n`;
  for (const text of paragraphs) yield `${visible(text)}\n`;
  if (table === undefined) return;
  if (isEmpty(table)) yield `${visible(whenEmpty)}\n`;
  else yield* tableOf(table);
}

/** For a terminal: what is under "about" is known to who typed the command, so only the rest is said. */
export function* textOf({ title, period, facts, sections, notCovered }: Document): Generator<string> {
  yield `${visible(title)}, ${visible(period)}\n`;
  yield facts.map(([label, value]) => `${label}: ${visible(value)}\n`).join('');
  const told = sections.filter(({ table, picture }) => table !== undefined || picture === undefined);
  for (const section of told) yield* sectionOf(section, told.length === 1);
  if (notCovered.length > 0) yield `\nNot covered:\n${notCovered.map((text) => `* ${visible(text)}\n`).join('')}`;
}
