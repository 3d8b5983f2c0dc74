import { Command, Option } from 'commander';
import type { PlanToBegin } from '../../policy/rollout/ports.ts';
import { dbOption, type StoreFlags } from '../audit/options.ts';
import { diagnosticsOption, type DiagnosticsFormat, filenameOption, meshConfigOption } from '../input/options.ts';
import { offlinePlan } from './offline-plan.ts';
import { planText, planYaml } from './print-plan.ts';
import { addWhere, asking, fail, type WhereFlags } from './where.ts';

interface PlanFlags extends WhereFlags, StoreFlags {
  readonly filename?: readonly string[];
  readonly meshConfig?: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly output: 'table' | 'json' | 'yaml';
}

function show(plan: PlanToBegin, { output }: PlanFlags): void {
  switch (output) {
    case 'yaml':
      // To be committed or applied; whether gates are met stands in its comments.
      process.stdout.write(planYaml(plan));
      return;
    case 'json':
      process.stdout.write(`${JSON.stringify(plan, undefined, 2)}\n`);
      break;
    case 'table':
      process.stdout.write(planText(plan, Date.now()));
      break;
    default:
      output satisfies never;
  }
  if (plan.status.heldBy.length > 0) process.exitCode = 1;
}

async function plan(namespace: string, flags: PlanFlags): Promise<void> {
  if (flags.filename !== undefined) {
    const made = await offlinePlan(namespace, { ...flags, filename: flags.filename });
    if (made === undefined) return;
    if (!made.ok) return fail('plan', 1, made.error);
    return show(made.plan, flags);
  }
  await asking('plan', flags, async (orders) => {
    const answer = await orders.plan(namespace);
    if (!answer.ok) return fail('plan', 1, answer.error, answer.heldBy);
    show(answer.value, flags);
    return undefined;
  });
}

export function planCommand(): Command {
  return addWhere(new Command('plan'))
    .description('the next step of a namespace: what it writes, who would be cut off, what holds it; changes nothing')
    .argument('<namespace>')
    .addOption(
      new Option('-o, --output <format>', 'how to print it; yaml: the objects')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .addOption(filenameOption())
    .addOption(meshConfigOption())
    .addOption(dbOption())
    .addOption(diagnosticsOption())
    .addHelpText(
      'after',
      `
Asks the control plane that runs on --ca-dir. With -f it works without one, on files and the audit store of --db; then nothing is known of
proxies. A namespace without a NamespaceRollout is planned with the defaults, and -o yaml prints the NamespaceRollout to begin with.

Exit status: 0 nothing holds the next step (with -o yaml always), 1 something does, 2 wrong usage.

Examples:
  gatehouse rollout plan bookinfo
  gatehouse rollout plan bookinfo -o yaml > mesh/rollout-bookinfo.yaml   # where the rollout only proposes
  gatehouse rollout plan bookinfo -f mesh/ --db .gatehouse/audit.db`,
    )
    .action(plan);
}
