import { Command, Option } from 'commander';
import { type LoadedMesh, loadMesh, sorted } from '../mesh/source/mesh.ts';
import { findings } from './input/findings.ts';
import { type DiagnosticsFormat, diagnosticsOption, filenameOption, meshConfigOption, namespaceOption } from './input/options.ts';
import { diagnosticRow, hasErrors, printDiagnostics } from './input/print-diagnostics.ts';

interface ValidateFlags {
  readonly filename: readonly string[];
  readonly meshConfig?: string;
  readonly namespace: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly output?: 'json';
}

/** `gatehouse validate`: every diagnostic for the input; exit 1 if any is an error. */
export function validateCommand(): Command {
  return new Command('validate')
    .description('check configuration: each object by itself, and all of them against each other')
    .addOption(filenameOption().makeOptionMandatory())
    .addOption(meshConfigOption())
    .addOption(namespaceOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'print the result as JSON').choices(['json']))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse validate -f manifests/
  gatehouse validate -f mesh/ -f route.yaml --diagnostics json
  cat route.yaml | gatehouse validate -f - -o json

Exit code: 0 when there is no error (warnings may be), 1 when there is one, 2 for wrong usage.`,
    )
    .action((flags: ValidateFlags) => {
      const loaded = loadMesh({ paths: flags.filename, meshConfigFile: flags.meshConfig, defaultNamespace: flags.namespace });
      const mesh = {
        ...loaded,
        diagnostics: sorted([...loaded.diagnostics, ...findings(loaded.snapshot, loaded.written, new Date())]),
      };
      printDiagnostics(mesh.diagnostics, flags.diagnostics);
      print(mesh, flags);
      if (hasErrors(mesh.diagnostics)) process.exitCode = 1;
    });
}

function print({ diagnostics, objects }: LoadedMesh, flags: ValidateFlags): void {
  const count = (severity: string): number => diagnostics.filter((found) => found.severity === severity).length;
  const [errors, warnings] = [count('error'), count('warning')];
  if (flags.output === 'json') {
    const result = {
      valid: errors === 0,
      objects,
      errors,
      warnings,
      diagnostics: diagnostics.map(diagnosticRow),
    };
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  } else {
    process.stdout.write(`${objects.length} objects accepted, ${errors} errors, ${warnings} warnings\n`);
  }
}
