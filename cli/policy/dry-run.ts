import { Command, Option } from 'commander';
import type { Printable, Section } from '../../audit/document/document.ts';
import { jsonObject } from '../../audit/document/json.ts';
import { print } from '../../audit/document/print.ts';
import { parseInstant } from '../../audit/report/instant.ts';
import { dryRun, type DryRun, type DryRunCall } from '../../policy/dry-run/dry-run.ts';
import { judgementJson, judgementText } from '../../policy/observed/judgement.ts';
import { writeAll } from '../audit/write.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { loadedMesh } from './loaded.ts';
import { fail, type MeshFlags } from './mesh.ts';
import {
  CALL_COLUMNS,
  callCells,
  callJson,
  callTable,
  evidenceJson,
  evidenceText,
  observedFor,
  type ObservedFlags,
  withObserved,
} from './observed.ts';
import type { Evidence } from './suggest-evidence.ts';

const FORMATS = Object.freeze(['table', 'json', 'csv', 'markdown'] as const);

interface DryRunFlags extends ObservedFlags, MeshFlags {
  readonly written?: string;
  readonly output: (typeof FORMATS)[number];
}

function calls(rows: readonly DryRunCall[]): number {
  return rows.reduce((sum, { call }) => sum + call.count, 0);
}

function section<T extends DryRunCall>(
  heading: string,
  rows: readonly T[],
  title: string,
  say: (row: T) => string,
  whenEmpty: string,
): Section {
  return { heading, table: callTable(rows, title, say), whenEmpty };
}

function saysText({ shadow, evaluator, judgement }: DryRunCall): string {
  return `the proxy says ${shadow ?? 'nothing'}, the evaluator ${evaluator ?? 'nothing'} (${judgementText(judgement)})`;
}

function printable(found: DryRun, evidence: Evidence): Printable {
  const json = (rows: readonly DryRunCall[]) => () =>
    rows.map((row) => ({
      ...callJson(row.call),
      shadow: row.shadow ?? null,
      evaluator: row.evaluator ?? null,
      judgement: judgementJson(row.judgement),
      wouldDeny: row.wouldDeny.map(({ policy, rule }) => ({ policy: policy ?? null, rule: rule ?? null })),
    }));
  return {
    document: {
      title: 'Dry run: what enforcement would do',
      period: evidenceText(evidence),
      facts: [
        ['would be denied', `${calls(found.wouldBeDenied)} calls`],
        ['both agree', `${found.agreed.allowed} calls allowed, ${found.agreed.denied} denied`],
        ['they disagree', `${calls(found.disagreements)} calls`],
        ['only the proxy could judge', `${calls(found.shadowOnly)} calls`],
        ['nobody could judge', `${calls(found.undecided)} calls`],
      ],
      about: [],
      sections: [
        section('Would be denied', found.wouldBeDenied, 'by what', ({ why }) => why, 'Nothing that was seen.'),
        section('Judged differently by the proxy and the evaluator', found.disagreements, 'how', saysText, 'Nothing.'),
        section('Not judged by anybody', found.undecided, 'depends on', ({ judgement }) => judgementText(judgement), 'Nothing.'),
      ],
      notCovered: evidence.missing,
      neverCovered: ['callers that were not seen in this time'],
    },
    csv: {
      columns: [...CALL_COLUMNS, { title: 'by what' }],
      *rows() {
        for (const { call, why } of found.wouldBeDenied) yield [...callCells(call), { text: why }];
      },
    },
    json: () =>
      jsonObject({
        period: evidenceJson(evidence),
        agreed: found.agreed,
        wouldBeDenied: () => {
          const rows = json(found.wouldBeDenied)();
          return found.wouldBeDenied.map(({ policy, rule, why }, at) => ({
            ...rows[at],
            policy: policy ?? null,
            rule: rule ?? null,
            why,
          }));
        },
        disagreements: json(found.disagreements),
        shadowOnly: json(found.shadowOnly),
        undecided: json(found.undecided),
      }),
  };
}

async function action(flags: DryRunFlags): Promise<undefined> {
  const now = new Date();
  const written = flags.written === undefined ? undefined : parseInstant(flags.written, now);
  if (written?.ok === false) return fail('dry-run', 2, `--written: ${written.reason}`);
  if (written !== undefined && (written.value ?? 0) > now.getTime())
    return fail('dry-run', 2, '--written: the time is yet to come: give the one at which the dry runs became as they are');
  const mesh = loadedMesh('dry-run', flags);
  if (mesh === undefined) return undefined;
  if (!mesh.snapshot.authorizationPolicies.some((policy) => policy.dryRun))
    process.stderr.write('warning: no policy is a dry run (annotation istio.io/dry-run: "true"): nothing is judged\n');
  const evidence = await observedFor(
    'dry-run',
    flags.since === undefined && flags.written !== undefined ? { ...flags, since: flags.written } : flags,
    now,
    mesh.destinations,
  );
  if (evidence === undefined) return undefined;
  const found = dryRun(
    mesh.snapshot,
    new Map(mesh.destinations.map((one) => [one.name, one])),
    evidence.calls,
    written?.value ?? undefined,
  );
  await writeAll(print(printable(found, evidence), flags.output), process.stdout);
  if (found.wouldBeDenied.length + found.disagreements.length > 0) process.exitCode = 1;
  return undefined;
}

/** `gatehouse policy dry-run`: who would be denied if dry runs were enforced. */
export function dryRunCommand(): Command {
  return withObserved(new Command('dry-run'))
    .description('who would be denied if the policies that are dry runs were enforced, as proxies said and as the evaluator says')
    .addOption(filenameOption().makeOptionMandatory())
    .option('--written <age|time>', 'since when the dry runs are as they are (default: before all of the calls)')
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table'))
    .addHelpText(
      'after',
      `
ALLOW, DENY and CUSTOM are judged together, as enforcement would. What the proxies' shadow rules said when a call came is compared with
what the evaluator says of its record; where the record lacks something (headers, tokens) the proxy's word counts.

Exit status: 0 nobody would be denied and both agree, 1 otherwise or with errors in the input, 2 wrong usage.

Examples:
  gatehouse policy dry-run -f mesh/ --since 7d
  gatehouse policy dry-run -f mesh/ --namespace shop --written 2d -o json | jq '.wouldBeDenied[].why'
  gatehouse policy dry-run -f mesh/ --since 7d -o markdown > dry-run.md`,
    )
    .action(action);
}
