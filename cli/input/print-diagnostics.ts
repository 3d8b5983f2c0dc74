import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';
import type { DiagnosticsFormat } from './options.ts';

/** One diagnostic as a JSON value in which every field is there; what does not apply is null. */
export function diagnosticRow(found: Diagnostic): Readonly<Record<string, string | number | null>> {
  const { file, line, object = null, field = null, severity, code, message, hint = null } = found;
  return { file, line, object, field, severity, code, message, hint };
}

/** Writes diagnostics to stderr, as text or as JSON lines. */
export function printDiagnostics(diagnostics: readonly Diagnostic[], format: DiagnosticsFormat): void {
  for (const found of diagnostics) {
    process.stderr.write(`${format === 'json' ? JSON.stringify(diagnosticRow(found)) : formatDiagnostic(found)}\n`);
  }
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}
