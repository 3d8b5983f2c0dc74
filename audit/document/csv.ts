import { csvField } from '../report/csv-field.ts';
import type { Table } from './document.ts';

/** RFC 4180: CRLF, a header line, one line a row. The rest of a document is left out, so that all lines have the same columns. */
export function* csvOf({ columns, rows }: Table): Generator<string> {
  const line = (cells: readonly string[]): string => `${cells.map(csvField).join(',')}\r\n`;
  yield line(columns.map(({ title }) => title));
  for (const row of rows()) yield line(row.map(({ text }) => text));
}
