import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';
import { printDiagnostics } from '../options/diagnostics.ts';

/** Prints each finding when it appears, not again while it stays. */
export function newDiagnostics(): (found: readonly Diagnostic[]) => void {
  let told = new Set<string>();
  return (found) => {
    printDiagnostics(found.filter((diagnostic) => !told.has(formatDiagnostic(diagnostic))));
    told = new Set(found.map(formatDiagnostic));
  };
}
