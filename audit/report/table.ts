import { COLUMNS, periodText, summary } from './columns.ts';
import type { Line, Report } from './report.ts';
import { visible } from './visible.ts';

const GAP = '  ';

/** The caller in one cell: the workload where it is known, else the proven identity, else the address. */
function source({ key }: Line): string {
  return key.sourceWorkload || key.sourcePrincipal || key.sourceAddress || 'unknown';
}

function cells(line: Line): readonly string[] {
  const shown = COLUMNS.filter(({ wide }) => !wide);
  return shown.map(({ title, cell }) => visible(title === 'source workload' ? source(line) : cell(line)) || '-');
}

/** Aligned columns for a terminal. */
export function tableReport(report: Report): string {
  const titles = COLUMNS.filter(({ wide }) => !wide).map(({ title }) => title.replace(' workload', '').toUpperCase());
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
