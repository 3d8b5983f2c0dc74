import { Command, Option } from 'commander';
import { print } from '../../audit/document/print.ts';
import { replay, type ReplayedMesh } from '../../policy/replay/replay.ts';
import { writeAll } from '../audit/write.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { collect } from '../options/collect.ts';
import { loadedMesh } from './loaded.ts';
import { fail, type MeshFlags } from './mesh.ts';
import { observedFor, type ObservedFlags, withObserved } from './observed.ts';
import { junitReplay, printableReplay } from './replay-print.ts';

const FORMATS = Object.freeze(['table', 'json', 'csv', 'markdown', 'junit'] as const);
const FINDINGS = Object.freeze(['broken', 'newly-allowed', 'undecided'] as const);

interface ReplayFlags extends ObservedFlags, Omit<MeshFlags, 'filename'> {
  readonly filename?: readonly string[];
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly afterMeshConfig?: string;
  readonly failOn?: readonly string[];
  readonly output: (typeof FORMATS)[number];
}

function side(flags: ReplayFlags, paths: readonly string[], meshConfig: string | undefined): ReplayedMesh | undefined {
  return loadedMesh('replay', {
    filename: paths,
    diagnostics: flags.diagnostics,
    ...(meshConfig === undefined ? {} : { meshConfig }),
  });
}

async function action(flags: ReplayFlags): Promise<undefined> {
  const { filename = [], before: was, after: is } = flags;
  if (is === undefined && filename.length === 0)
    return fail(
      'replay',
      2,
      'name the changed policies with --after (with -f for what is the same on both sides), or with -f alone',
    );
  const failOn = (flags.failOn ?? ['broken']).flatMap((text) => text.split(','));
  const wrong = failOn.find((text) => !FINDINGS.some((one) => one === text));
  if (wrong !== undefined) return fail('replay', 2, `--fail-on: ${wrong} is none of ${FINDINGS.join(', ')}`);
  const after = side(flags, [...filename, ...(is ?? [])], flags.afterMeshConfig ?? flags.meshConfig);
  const common = is === undefined ? [] : filename;
  const before = was === undefined ? undefined : side(flags, [...common, ...was], flags.meshConfig);
  if (after === undefined || (was !== undefined && before === undefined)) return undefined;
  const evidence = await observedFor('replay', flags, new Date(), [...after.destinations, ...(before?.destinations ?? [])]);
  if (evidence === undefined) return undefined;
  const found = replay(evidence.calls, after, before);
  const text = flags.output === 'junit' ? [junitReplay(found)] : print(printableReplay(found, evidence), flags.output);
  await writeAll(text, process.stdout);
  const counts = { broken: found.broken, 'newly-allowed': found.newlyAllowed, undecided: found.undecided };
  for (const one of FINDINGS) if (failOn.includes(one) && counts[one].length > 0) process.exitCode = 1;
  return undefined;
}

/** `gatehouse policy replay`: what calls that were seen would come to under changed policies. */
export function replayCommand(): Command {
  return withObserved(new Command('replay'))
    .description('what calls that were seen would come to under changed policies: kept, broken, newly allowed')
    .addOption(new Option('--before <path>', 'file or folder as it is (repeatable)').argParser(collect))
    .addOption(new Option('--after <path>', 'file or folder as it is to be (repeatable)').argParser(collect))
    .addOption(filenameOption().argParser(collect))
    .addOption(meshConfigOption())
    .option('--after-mesh-config <file>', 'for --after, where it differs')
    .addOption(
      new Option(
        '--fail-on <findings>',
        `exit 1 on these: ${FINDINGS.join(', ')}; several with commas (default: broken)`,
      ).argParser(collect),
    )
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table'))
    .addHelpText(
      'after',
      `
AuthorizationPolicies, PeerAuthentications and RequestAuthentications count. With --before only what the change itself breaks is broken,
and calls that were let through tell of headers and tokens that records do not have. What -f names is part of both sides; without
--after it is the configuration to be.

Exit status: 0 nothing that was seen would break, 1 something would, or the input has errors, 2 wrong usage.

Examples:
  gatehouse policy replay --before mesh/ --after proposed/
  gatehouse policy replay -f mesh/ --since 30d --namespace shop
  git worktree add /tmp/main main && gatehouse policy replay --before /tmp/main/mesh --after mesh/ -o junit > replay.xml
  gatehouse policy replay --before mesh/ --after proposed/ --fail-on broken,undecided -o json | jq '.broken[].destination'`,
    )
    .action(action);
}
