import { Command, Option } from 'commander';
import { cell, type Printable } from '../../audit/document/document.ts';
import { jsonObject } from '../../audit/document/json.ts';
import { print } from '../../audit/document/print.ts';
import { iso, lengthText } from '../../audit/report/about.ts';
import { editsOf, type PolicyUse, unused, type Use } from '../../policy/unused/unused.ts';
import { writeAll } from '../audit/write.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { loadedMesh } from './loaded.ts';
import type { MeshFlags } from './mesh.ts';
import { evidenceJson, evidenceText, observedFor, type ObservedFlags, withObserved } from './observed.ts';
import type { Evidence } from './suggest-evidence.ts';

const FORMATS = Object.freeze(['table', 'json', 'csv', 'markdown'] as const);

interface UnusedFlags extends ObservedFlags, MeshFlags {
  readonly exitCode?: true;
  readonly output: (typeof FORMATS)[number];
}

/** For how long a policy was observed: neither before the records began nor before it was there. */
function observedText({ createdAt }: PolicyUse, { since, until }: Evidence): string {
  const from = Math.max(...[createdAt, since].flatMap((one) => one ?? []), Number.NEGATIVE_INFINITY);
  return Number.isFinite(from) ? lengthText(Math.max(0, until - from)) : 'not known';
}

function printable(policies: readonly PolicyUse[], evidence: Evidence): Printable {
  const found = policies.flatMap((policy) => editsOf(policy).map((edit) => ({ policy, edit })));
  const table = {
    columns: [
      { title: 'policy' },
      { title: 'rule' },
      { title: 'what nobody used' },
      { title: 'observed for' },
      { title: 'edit' },
    ],
    *rows() {
      for (const { policy, edit } of found)
        yield [
          cell(policy.dryRun ? `${policy.policy} (dry run)` : policy.policy),
          cell(edit.rule === undefined ? 'all' : String(edit.rule)),
          cell(edit.part === undefined ? 'all of it' : `${edit.part.field}: ${edit.part.value}`),
          cell(observedText(policy, evidence)),
          cell(edit.edit),
        ];
    },
  };
  const used = (use: Use | undefined) =>
    use === undefined ? null : { calls: use.calls, firstSeen: iso(use.firstSeen), lastSeen: iso(use.lastSeen) };
  return {
    document: {
      title: 'Grants that nobody used',
      period: evidenceText(evidence),
      facts: [
        ['ALLOW policies', String(policies.length)],
        ['used by nobody', String(policies.filter(({ use }) => use === undefined).length)],
        ['rules used by nobody', String(policies.flatMap(({ rules }) => rules).filter(({ use }) => use === undefined).length)],
      ],
      about: [],
      sections: [{ heading: 'What could go', table, whenEmpty: 'Every grant was used.' }],
      notCovered: evidence.missing,
      neverCovered: ['callers that call more seldom than was observed: see gatehouse policy suggest for rare ones'],
    },
    csv: table,
    json: () =>
      jsonObject({
        period: evidenceJson(evidence),
        policies: policies.map((one) => ({
          policy: one.policy,
          createdAt: one.createdAt === undefined ? null : iso(one.createdAt),
          dryRun: one.dryRun,
          observedFor: observedText(one, evidence),
          use: used(one.use),
          workloads: one.workloads,
          onlyAllowPolicyOf: one.onlyOneOf,
          rules: one.rules.map(({ rule, use, unusedParts }) => ({ rule, use: used(use), unusedParts })),
          edits: editsOf(one).map(({ edit }) => edit),
        })),
      }),
  };
}

async function action(flags: UnusedFlags): Promise<undefined> {
  const mesh = loadedMesh('unused', flags);
  if (mesh === undefined) return undefined;
  const evidence = await observedFor('unused', flags, new Date(), mesh.destinations);
  if (evidence === undefined) return undefined;
  const { namespace, workload } = flags;
  const asked = ({ workloads }: PolicyUse): boolean =>
    (workload === undefined || workloads.includes(workload)) &&
    (namespace === undefined || workloads.some((name) => name.startsWith(`${namespace}/`)));
  // Of a part of the mesh a policy of all of it may be used elsewhere.
  const whole = ({ workloads }: PolicyUse): boolean =>
    (workload === undefined || workloads.every((name) => name === workload)) &&
    (namespace === undefined || workloads.every((name) => name.startsWith(`${namespace}/`)));
  const policies = unused(mesh.snapshot, mesh.destinations, evidence.calls).filter((one) => asked(one) && whole(one));
  await writeAll(print(printable(policies, evidence), flags.output), process.stdout);
  if (flags.exitCode === true && policies.some((one) => editsOf(one).length > 0)) process.exitCode = 1;
  return undefined;
}

/** `gatehouse policy unused`: what ALLOW policies grant and nobody used. */
export function unusedCommand(): Command {
  return withObserved(new Command('unused'))
    .description(
      'what ALLOW policies grant and nobody used: policies, rules, callers, paths, methods; and the edit that takes it away',
    )
    .addOption(filenameOption().makeOptionMandatory())
    .option('--exit-code', 'exit 1 when there is any')
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table'))
    .addHelpText(
      'after',
      `
A call uses each rule that may have let it in. Policies are left out that apply to workloads beyond --namespace or --workload, too: others
may use them. For how long a grant was observed depends on the records, and on creationTimestamp where an object has one.

Exit status: 0 answered, 1 unused grants with --exit-code, or no store, or errors in the input, 2 wrong usage.

Examples:
  gatehouse policy unused -f mesh/ --since 30d
  gatehouse policy unused -f mesh/ --namespace shop -o json | jq -r '.policies[].edits[]'
  gatehouse policy unused -f mesh/ --exit-code -o markdown`,
    )
    .action(action);
}
