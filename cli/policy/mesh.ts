import { type DiagnosticsFormat } from '../input/options.ts';
import { hasErrors, printDiagnostics } from '../input/print-diagnostics.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';

/** Says why a subcommand of `gatehouse policy` ends without an answer. */
export function fail(command: string, code: 1 | 2, message: string): undefined {
  process.stderr.write(`gatehouse policy ${command}: ${message}\n`);
  process.exitCode = code;
  return undefined;
}

export interface MeshFlags {
  readonly filename: readonly string[];
  readonly meshConfig?: string;
  readonly diagnostics: DiagnosticsFormat;
}

/**
 * The mesh of `-f`, its diagnostics printed; exit 1 when some are errors. Undefined when the mesh configuration cannot be read:
 * with guessed settings policies would mean something else.
 */
export function meshOf(command: string, { filename, meshConfig, diagnostics: form }: MeshFlags): Snapshot | undefined {
  const { snapshot, diagnostics } = loadMesh({ paths: filename, meshConfigFile: meshConfig });
  printDiagnostics(
    diagnostics.filter(({ severity }) => severity !== 'info'),
    form,
  );
  if (hasErrors(diagnostics)) process.exitCode = 1;
  if (meshConfig !== undefined && diagnostics.some(({ file, severity }) => severity === 'error' && file === meshConfig)) {
    return fail(command, 1, `${meshConfig} cannot be used, and without it the answers could be wrong; nothing was decided`);
  }
  return snapshot;
}
