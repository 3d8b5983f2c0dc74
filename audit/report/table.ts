import { COLUMNS, periodText, summary } from './columns.ts';
import type { Line, Report } from './report.ts';
import { visible } from './visible.ts';

const GAP = '  ';

/** SPIFFE IDs without their scheme, as policies write them. */
function cells(line: Line): readonly string[] {
  const shown = COLUMNS.filter(({ wide }) => !wide);
  return shown.map(({ cell }) => visible(cell(line)).replace(/^spiffe:\/\//, '') || '-');
}

/** Aligned columns for a terminal. */
export function tableReport(report: Report): string {
  const titles = COLUMNS.filter(({ wide }) => !wide).map(({ title }) => title.replace(' identity', '').toUpperCase());
  const rows = [titles, ...report.lines.map(cells)];
  const widths = titles.map((_, column) => rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0));
  const body = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
  const head = `Who talked to whom, ${periodText(report)}`;
  const figures = summary(report).map(([label, value]) => `${label}: ${value}`);
  return `${[head, ...figures, '', ...body].join('\n')}\n`;
}
