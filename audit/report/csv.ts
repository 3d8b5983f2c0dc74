import { COLUMNS } from './columns.ts';
import type { Report } from './report.ts';
import { visible } from './visible.ts';

/** Beginnings that spreadsheets take for a formula (OWASP, "CSV Injection"), with their full-width twins. */
const FORMULA = /^\s*[=+\-@＝＋－＠]/;

/** A field of RFC 4180, in one line. A text that a spreadsheet would run is led by an apostrophe. */
export function csvField(text: string): string {
  const shown = visible(text);
  const safe = FORMULA.test(shown) ? `'${shown}` : shown;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180: CRLF, a header line, one line an edge. The summary is left out, so that all lines have the same columns. */
export function csvReport(report: Report): string {
  const rows = [COLUMNS.map(({ title }) => title), ...report.lines.map((line) => COLUMNS.map(({ cell }) => cell(line)))];
  return rows.map((row) => `${row.map(csvField).join(',')}\r\n`).join('');
}
