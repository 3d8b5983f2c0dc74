import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { print } from '../../audit/document/print.ts';
import { daysByKey } from '../../audit/observed/days.ts';
import { parseQuestion } from '../../audit/report/question.ts';
import { visible } from '../../audit/report/visible.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { suggest } from '../../policy/suggest/suggest.ts';
import { DETAILS, type Detail, type Suggestion } from '../../policy/suggest/suggestion.ts';
import { dbOption, storeOf, type StoreFlags, withPeriod } from '../audit/options.ts';
import { writeAll } from '../audit/write.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { destinationsIn } from './destinations.ts';
import { fail, type MeshFlags, meshOf } from './mesh.ts';
import { asking } from './observed.ts';
import { evidenceFrom } from './suggest-evidence.ts';
import { HEADER, type PrintOptions, policyYaml, printableSuggestion, suggestionJson, suggestionYaml } from './suggest-print.ts';

interface SuggestFlags extends MeshFlags, StoreFlags {
  readonly since?: string;
  readonly until?: string;
  readonly namespace?: string;
  readonly workload?: string;
  readonly by: 'workload' | 'namespace';
  readonly detail: Detail;
  readonly dryRun?: true;
  readonly grantPlainText?: true;
  readonly output: 'yaml' | 'table' | 'json' | 'markdown';
  readonly out?: string;
}

/** The policies, a file each; nothing is written over that somebody else wrote. */
function write(folder: string, suggestion: Suggestion, options: PrintOptions): undefined {
  const files = suggestion.policies.map((policy) => ({
    file: join(folder, policy.namespace, `${policy.name}.yaml`),
    text: policyYaml(suggestion, policy, options),
  }));
  const foreign = files.find(({ file }) => existsSync(file) && !readFileSync(file, 'utf8').startsWith(`# ${HEADER}`));
  if (foreign !== undefined)
    return fail(
      'suggest',
      1,
      `${foreign.file} is there and was not written by this command; nothing was written (choose another --out)`,
    );
  for (const { file, text } of files) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  process.stderr.write(`${files.length} policies written to ${folder}\n`);
  return undefined;
}

function textOf(suggestion: Suggestion, output: SuggestFlags['output'], options: PrintOptions): Iterable<string> {
  switch (output) {
    case 'yaml':
      return [suggestionYaml(suggestion, options)];
    case 'json':
      return [suggestionJson(suggestion, options)];
    case 'table':
    case 'markdown':
      return print(printableSuggestion(suggestion, options), output);
    default:
      return output satisfies never;
  }
}

async function action(flags: SuggestFlags): Promise<undefined> {
  const now = new Date();
  const question = parseQuestion({ since: flags.since, until: flags.until }, now);
  if (!question.ok) return fail('suggest', 2, `--${question.reason}`);
  const snapshot = meshOf('suggest', flags);
  if (snapshot === undefined) return undefined;
  // A policy that was left out would be suggested anew, or taken for no restriction.
  if (process.exitCode === 1) return fail('suggest', 1, 'the configuration has errors; nothing is suggested on a part of it');
  const { workload } = flags;
  const wanted = snapshot.workloads.filter((one) => {
    if (flags.namespace !== undefined && one.namespace !== flags.namespace) return false;
    return workload === undefined || (workload.includes('/') ? keyOf(one) === workload : one.name === workload);
  });
  if (wanted.length === 0) return fail('suggest', 2, 'no such workload in the configuration (see --namespace and --workload)');
  const names = new Set(wanted.map(keyOf));
  if (workload !== undefined && names.size > 1)
    return fail('suggest', 2, `"${workload}" is in several namespaces: ${[...names].sort().join(', ')}`);
  if (workload !== undefined && flags.by === 'namespace')
    return fail('suggest', 2, '--workload asks for the policy of one workload, --by namespace for one of all');
  // Not of the one workload alone: those beside it behind a Service tell of callers that may be led to it.
  const [only] = names.size === 1 ? names : [];
  const namespace = flags.namespace ?? only?.split('/', 1)[0];
  const filter = namespace === undefined ? {} : { to: { namespace } };
  const store = storeOf(flags);
  const { period } = question.value;
  const evidence = await asking('suggest', async () => {
    const observed = await store.query({ ...period, filter });
    const days = await daysByKey(store, observed, { until: period.until ?? now.getTime(), filter });
    return evidenceFrom(observed, question.value, now, days);
  });
  if (evidence === undefined) return undefined;
  const suggestion = suggest({
    snapshot,
    destinations: destinationsIn(snapshot).filter(({ name }) => names.has(name)),
    calls: evidence.calls,
    namespace: flags.namespace,
    by: flags.by,
    now: evidence.until,
    options: {
      detail: flags.detail,
      grantPlainText: flags.grantPlainText ?? false,
      ...(evidence.since === undefined ? {} : { observedSince: evidence.since }),
    },
  });
  for (const text of evidence.missing) process.stderr.write(`warning: ${text}: callers may be missing\n`);
  const own = workload === undefined ? evidence.calls : evidence.calls.filter(({ destination }) => names.has(destination));
  if (own.length === 0) process.stderr.write('warning: no calls were recorded: what is suggested lets nobody in\n');
  const known = new Set(snapshot.workloads.map(keyOf));
  for (const name of new Set(own.flatMap(({ destination }) => (known.has(destination) ? [] : [destination]))))
    process.stderr.write(
      `warning: ${visible(name)}: it was called, and the configuration has no such workload: it is left as it is\n`,
    );
  for (const text of suggestion.uncovered) process.stderr.write(`warning: not let in: ${visible(text)}\n`);
  if (suggestion.uncovered.length > 0) process.exitCode = 1;
  if (suggestion.policies.length === 0)
    process.stderr.write("nothing to suggest: today's policies let in every call that went through\n");
  const options = { dryRun: flags.dryRun ?? false, evidence };
  if (flags.out !== undefined) return write(flags.out, suggestion, options);
  await writeAll(textOf(suggestion, flags.output, options), process.stdout);
  return undefined;
}

/** `gatehouse policy suggest`: the policies of least privilege for what was seen. */
export function suggestCommand(): Command {
  return withPeriod(new Command('suggest').addOption(dbOption()))
    .description('ALLOW policies of least privilege for the calls that were seen, as a difference to the policies that are there')
    .addOption(filenameOption().makeOptionMandatory())
    .option('--namespace <name>', 'only for the workloads of this namespace')
    .option('--workload <[namespace/]name>', 'only for this workload')
    .addOption(new Option('--by <what>', 'one policy for each').choices(['workload', 'namespace']).default('workload'))
    .addOption(new Option('--detail <detail>', 'how much of a call the rules say').choices(DETAILS).default('path'))
    .option('--dry-run', 'policies that are judged and told of, without effect (istio.io/dry-run)')
    .option('--grant-plain-text', 'let callers without an identity in by their addresses (default: they are listed)')
    .option('--out <dir>', 'write the policies into this folder, a file each')
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'table', 'json', 'markdown']).default('yaml'))
    .addHelpText(
      'after',
      `
Calls that went through become rules; denied calls never do. Callers that were not seen for long, or seldom, are kept and listed. Whatever
is allowed beyond what was seen (such as any identifier in a path) is said.

Exit status: 0 all calls that went through are let in, 1 some are not or the input has errors, 2 wrong usage.

Examples:
  gatehouse policy suggest -f mesh/ --namespace shop --since 30d
  gatehouse policy suggest -f mesh/ --workload shop/users -o table
  gatehouse policy suggest -f mesh/ --namespace shop --dry-run | gatehouse apply --dir mesh -f -
  gatehouse policy suggest -f mesh/ --by namespace --detail caller --out proposed/`,
    )
    .action(action);
}
