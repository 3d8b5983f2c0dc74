import { Command, Option } from 'commander';
import { type LoadedMesh, loadMesh, sorted } from '../mesh/source/mesh.ts';
import { allFindings, findings } from './input/findings.ts';
import { type DiagnosticsFormat, diagnosticsOption, filenameOption, meshConfigOption, namespaceOption } from './input/options.ts';
import { logger } from './log.ts';
import {
  type ClusterWish,
  kubeconfigOptions,
  openCluster,
  parseClusterFlags,
  systemNamespaceOption,
} from './serve/cluster-options.ts';
import { diagnosticRow, hasErrors, printDiagnostics } from './input/print-diagnostics.ts';

interface ValidateFlags {
  readonly filename?: readonly string[];
  readonly kubernetes?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly systemNamespace?: string;
  readonly meshConfig?: string;
  readonly namespace: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly output?: 'json';
}

type Validated = Pick<LoadedMesh, 'objects' | 'diagnostics'>;

/** `gatehouse validate`: every diagnostic for the input; exit 1 if any is an error. */
export function validateCommand(): Command {
  const command = new Command('validate')
    .description('check configuration: each object by itself, and all of them against each other')
    .addOption(filenameOption())
    .option('--kubernetes', 'the objects of a cluster, in place of files')
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
  gatehouse validate --kubernetes --context prod       # all that is configured there: what would be refused?
  cat route.yaml | gatehouse validate -f - -o json

Exit code: 0 when there is no error (warnings may be), 1 when there is one, 2 for wrong usage.`,
    )
    .action(async (flags: ValidateFlags) => {
      const wish = parseClusterFlags(flags);
      if (!wish.ok) {
        process.stderr.write(`gatehouse validate: ${wish.reason}\n`);
        process.exitCode = 2;
        return;
      }
      let mesh: Validated;
      try {
        mesh = wish.value === undefined ? ofFiles(flags) : await ofCluster(wish.value, flags);
      } catch (error) {
        process.stderr.write(`gatehouse validate: ${error instanceof Error ? error.message : String(error)}\n`);
        process.exitCode = 1;
        return;
      }
      printDiagnostics(mesh.diagnostics, flags.diagnostics);
      print(mesh, flags);
      if (hasErrors(mesh.diagnostics)) process.exitCode = 1;
    });
  for (const option of [...kubeconfigOptions(), systemNamespaceOption()]) command.addOption(option);
  return command;
}

function ofFiles({ filename = [], meshConfig, namespace }: ValidateFlags): Validated {
  const { snapshot, written, objects, diagnostics } = loadMesh({
    paths: filename,
    meshConfigFile: meshConfig,
    defaultNamespace: namespace,
  });
  return { objects, diagnostics: sorted([...diagnostics, ...findings(snapshot, written, new Date())]) };
}

async function ofCluster(wish: ClusterWish, flags: ValidateFlags): Promise<Validated> {
  const { client, systemNamespace } = await openCluster(wish);
  try {
    const { watchCluster } = await import('../kubernetes/source/cluster-mesh.ts');
    const mesh = await watchCluster({
      client,
      log: logger(),
      meshConfigFile: flags.meshConfig,
      systemNamespace,
    });
    mesh.close();
    const found = allFindings(mesh.current(), mesh.written(), new Date());
    return { objects: mesh.objects(), diagnostics: sorted([...mesh.diagnostics(), ...found]) };
  } finally {
    client.close();
  }
}

function print({ diagnostics, objects }: Validated, flags: ValidateFlags): void {
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
