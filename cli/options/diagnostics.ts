import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';

/** Prints findings on stderr, one a line. */
export function printDiagnostics(found: readonly Diagnostic[]): void {
  for (const diagnostic of found) process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
}
