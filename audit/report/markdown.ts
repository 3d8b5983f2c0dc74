import { COLUMNS, periodText, summary } from './columns.ts';
import type { Report } from './report.ts';
import { visible } from './visible.ts';

/** Text in a cell of a Markdown table, without any markup of its own (CommonMark backslash escapes, entities for HTML). */
export function markdownCell(text: string): string {
  return (
    visible(text)
      .replace(/[\\`*_{}[\]()#+!|~]/g, (character) => `\\${character}`)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // Autolinks of GitHub's dialect.
      .replace(/(https?|ftp|spiffe):\/\//gi, '$1:&#47;/')
      .replace(/www\./gi, 'www&#46;')
      .replaceAll('@', '&#64;')
  );
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

export function markdownReport(report: Report): string {
  const titles = COLUMNS.map(({ title }) => title);
  const lines = report.lines.map((line) => row(COLUMNS.map(({ cell }) => markdownCell(cell(line)))));
  return `${[
    '# Who talked to whom',
    '',
    `${periodText(report)}; generated at ${report.generatedAt.toISOString()}.`,
    '',
    ...summary(report).map(([label, value]) => `* ${label}: ${markdownCell(value)}`),
    '',
    row(titles),
    row(titles.map(() => '---')),
    ...lines,
  ].join('\n')}\n`;
}
