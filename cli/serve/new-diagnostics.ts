import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';
import type { DiagnosticsFormat } from '../input/options.ts';
import { printDiagnostics } from '../input/print-diagnostics.ts';

/** Prints each finding when it appears, not again while it stays. */
export function newDiagnostics(format: DiagnosticsFormat): (found: readonly Diagnostic[]) => void {
  let told = new Set<string>();
  return (found) => {
    printDiagnostics(
      found.filter((diagnostic) => !told.has(formatDiagnostic(diagnostic))),
      format,
    );
    told = new Set(found.map(formatDiagnostic));
  };
}
