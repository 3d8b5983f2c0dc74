import { visible } from './visible.ts';

/** Beginnings that spreadsheets take for a formula (OWASP, "CSV Injection"), with their full-width twins. */
const FORMULA = /^\s*[=+\-@＝＋－＠]/;

/** A field of RFC 4180, in one line. A text that a spreadsheet would run is led by an apostrophe. */
export function csvField(text: string): string {
  const shown = visible(text);
  const safe = FORMULA.test(shown) ? `'${shown}` : shown;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
