import { Command, Option } from 'commander';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { collect } from '../options/collect.ts';
import { compareMeshes } from './compare.ts';
import { DIFF_FORMATS } from './diff-print.ts';
import { type MeshFlags, fail, meshOf } from './mesh.ts';

interface DiffFlags extends Omit<MeshFlags, 'filename'> {
  readonly filename?: readonly string[];
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly afterMeshConfig?: string;
  readonly output: string;
  readonly exitCode?: boolean;
}

function action(flags: DiffFlags): undefined {
  const { filename = [], diagnostics } = flags;
  const config = (file: string | undefined): { readonly meshConfig?: string } => (file === undefined ? {} : { meshConfig: file });
  const before = meshOf('diff', { filename: [...filename, ...flags.before], diagnostics, ...config(flags.meshConfig) });
  const after = meshOf('diff', {
    filename: [...filename, ...flags.after],
    diagnostics,
    ...config(flags.afterMeshConfig ?? flags.meshConfig),
  });
  if (before === undefined || after === undefined) return undefined;
  const found = compareMeshes(before, after);
  for (const note of found.notes) process.stderr.write(`note: ${note}\n`);
  for (const name of found.incomplete)
    process.stderr.write(`warning: ${name}: there are too many kinds of requests to tell apart; some may be missing\n`);
  for (const { destination, port } of found.untold)
    process.stderr.write(
      `warning: ${destination} port ${port}: access falls into too many pieces to be compared for some callers\n`,
    );
  process.stdout.write(DIFF_FORMATS.get(flags.output)?.(found, after.meshConfig.trustDomain) ?? '');
  if (found.changes.some(({ confirmed }) => !confirmed))
    return fail('diff', 1, 'an example is not decided as its row says; please report this with the input');
  const differs = found.changes.length + found.untold.length + found.incomplete.length > 0;
  if (flags.exitCode === true && differs) process.exitCode = 1;
  return undefined;
}

/** `gatehouse policy diff`: what callers may do after a change and could not before, and the other way round. */
export function diffCommand(): Command {
  return new Command('diff')
    .description('what a change of configuration lets callers do, and what it takes from them, each with an example')
    .addOption(new Option('--before <path>', 'file or folder as it is (repeatable)').argParser(collect).makeOptionMandatory())
    .addOption(
      new Option('--after <path>', 'file or folder as it is to be (repeatable)').argParser(collect).makeOptionMandatory(),
    )
    .addOption(filenameOption().argParser(collect))
    .addOption(meshConfigOption())
    .option('--after-mesh-config <file>', 'for --after, where it differs')
    .option('--exit-code', 'exit 1 when access differs, as git diff does')
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices([...DIFF_FORMATS.keys()]).default('table'))
    .addHelpText(
      'after',
      `
What -f names is part of both sides, such as the workloads when only policies change. Files that say the same in other words give no
rows. Each row carries one request that the evaluator of "gatehouse policy check" decides otherwise on both sides.

Exit status: 0 compared, 1 a difference with --exit-code, or errors in the configuration, 2 wrong usage.

Examples:
  gatehouse policy diff --before mesh/ --after proposed/
  gatehouse policy diff -f workloads/ --before policies/ --after new-policies/ --exit-code -o markdown
  git worktree add /tmp/main main && gatehouse policy diff --before /tmp/main/mesh --after mesh/ -o json`,
    )
    .action(action);
}
