import { csvReport } from './csv.ts';
import { htmlReport } from './html.ts';
import { jsonReport } from './json.ts';
import { markdownReport } from './markdown.ts';
import type { Report } from './report.ts';
import { tableReport } from './table.ts';

/** Every form a report can be printed in. */
export const RENDERERS = Object.freeze({
  table: tableReport,
  json: jsonReport,
  csv: csvReport,
  markdown: markdownReport,
  html: (report: Report) => htmlReport(report),
} satisfies Record<string, (report: Report) => string>);

export type ReportFormat = keyof typeof RENDERERS;

export function isReportFormat(text: string): text is ReportFormat {
  return Object.hasOwn(RENDERERS, text);
}
