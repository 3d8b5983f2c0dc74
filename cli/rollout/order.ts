import { userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { type Stage, STAGES } from '../../mesh/model/namespace-rollout.ts';
import type { RolloutOrder } from '../../policy/rollout/ports.ts';
import { historyLines, statusText } from './print-status.ts';
import { asData, outputOption } from './status.ts';
import { addWhere, asking, fail, type WhereFlags } from './where.ts';

interface OrderFlags extends WhereFlags {
  readonly output: 'table' | 'json' | 'yaml';
  readonly reason?: string;
  readonly to?: Stage;
  readonly force?: true;
}

/** Who orders, as this machine knows them. */
function whoami(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${String(process.getuid?.() ?? 'unknown')}`;
  }
}

function orderOf(kind: RolloutOrder['kind'], flags: OrderFlags): RolloutOrder {
  const { reason = '', to, force = false } = flags;
  const who = { by: whoami(), reason };
  switch (kind) {
    case 'advance':
      return { kind, ...who, force, ...(to === undefined ? {} : { to }) };
    case 'rollback':
      return { kind, ...who, ...(to === undefined ? {} : { to }) };
    case 'pause':
    case 'resume':
    case 'renew':
      return { kind, ...who };
    default:
      return kind satisfies never;
  }
}

async function give(kind: RolloutOrder['kind'], namespace: string, flags: OrderFlags): Promise<void> {
  const order = orderOf(kind, flags);
  if (flags.force === true && order.reason.trim() === '')
    return fail(kind, 2, '--force overrides what holds it, and is kept with its reason: give --reason TEXT');
  return asking(kind, flags, async (orders) => {
    const answer = await orders.order(namespace, order);
    if (!answer.ok) {
      fail(kind, 1, answer.error, answer.heldBy);
      if (kind === 'advance' && answer.heldBy.length > 0)
        process.stderr.write(
          `see: gatehouse rollout plan ${namespace}; whoever answers for it may add --force --reason TEXT, which is kept\n`,
        );
      return;
    }
    if (flags.output !== 'table') {
      process.stdout.write(asData(answer.value, flags.output));
      return;
    }
    const { history } = answer.value;
    if (kind === 'advance' || kind === 'rollback' || kind === 'renew')
      process.stdout.write(historyLines(history.slice(0, 1), false));
    process.stdout.write(statusText({ ...answer.value, history: [] }, Date.now()));
  });
}

function orderCommand(kind: RolloutOrder['kind'], description: string, examples: string): Command {
  const command = addWhere(new Command(kind))
    .description(description)
    .argument('<namespace>')
    .option('--reason <text>', 'why, for the history')
    .addOption(outputOption('table', 'json', 'yaml'))
    .addHelpText('after', `\nExamples:\n${examples}`)
    .action((namespace: string, flags: OrderFlags) => give(kind, namespace, flags));
  return command;
}

export function orderCommands(): readonly Command[] {
  const stage = (description: string): Option => new Option('--to <stage>', description).choices(STAGES);
  return [
    orderCommand(
      'advance',
      'take the next step; refused (exit 1) with what holds it while a gate is not met',
      `  gatehouse rollout advance bookinfo
  gatehouse rollout advance bookinfo --to strict          # only if that is the next stage
  gatehouse rollout advance bookinfo --force --reason "INC-1234: auditors come tomorrow"`,
    )
      .addOption(stage('the stage that is meant; refused where it is not the next one'))
      .option('--force', 'whatever holds it; needs --reason'),
    orderCommand(
      'rollback',
      'go back one stage at once',
      `  gatehouse rollout rollback bookinfo --reason "orders are refused"
  gatehouse rollout rollback bookinfo --to observe`,
    ).addOption(stage('further back than one stage')),
    orderCommand(
      'pause',
      'take no step until it is resumed; rollback still works',
      `  gatehouse rollout pause bookinfo --reason "release week"`,
    ),
    orderCommand('resume', 'go on after a pause', `  gatehouse rollout resume bookinfo`),
    orderCommand(
      'renew',
      "at dry-run: suggest policies anew from today's evidence; that gate's time begins again",
      `  gatehouse rollout renew bookinfo --reason "reviews v4 calls ratings"`,
    ),
  ];
}
