import { markdownCell } from '../report/markdown-cell.ts';
import type { Document, Fact, Section } from './document.ts';

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

function listed(facts: readonly Fact[]): string {
  return facts.map(([label, value]) => `* ${label}: ${markdownCell(value)}\n`).join('');
}

function* sectionOf({ heading, paragraphs = [], table, whenEmpty = 'None.', picture }: Section): Generator<string> {
  // A picture alone is nothing that Markdown could show.
  if (table === undefined && picture !== undefined) return;
  yield `\n## ${markdownCell(heading)}\n`;
  for (const text of paragraphs) yield `\n${markdownCell(text)}\n`;
  if (table === undefined) return;
  let any = false;
  for (const cells of table.rows()) {
    if (!any) yield `\n${row(table.columns.map(({ title }) => title))}${row(table.columns.map(() => '---'))}`;
    any = true;
    yield row(cells.map(({ text }) => markdownCell(text)));
  }
  if (!any) yield `\n${markdownCell(whenEmpty)}\n`;
}

export function* markdownOf({ title, period, facts, about, sections, ...others }: Document): Generator<string> {
  const notCovered = [...others.notCovered, ...others.neverCovered];
  yield `# ${markdownCell(title)}\n\n${markdownCell(period)}\n\n${listed(facts)}`;
  for (const section of sections) yield* sectionOf(section);
  if (notCovered.length > 0)
    yield `\n## What is not covered\n\n${notCovered.map((text) => `* ${markdownCell(text)}\n`).join('')}`;
  yield `\n## About\n\n${listed(about)}`;
}
