import { setTimeout as pause } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { RolloutStatus } from '../../policy/rollout/status.ts';
import type { RolloutOrders } from './orders.ts';
import { historyLines, statusTable, statusText } from './print-status.ts';
import { addWhere, asking, fail, type WhereFlags } from './where.ts';

type Format = 'table' | 'json' | 'yaml';

interface StatusFlags extends WhereFlags {
  readonly output: Format;
  readonly watch?: true;
}

const WATCH_MS = 1_000;

export function outputOption(...formats: readonly Format[]): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(formats).default('table');
}

export function asData(value: unknown, format: 'json' | 'yaml'): string {
  return format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : stringify(value);
}

async function textOf(orders: RolloutOrders, namespace: string | undefined, output: Format) {
  const now = Date.now();
  if (namespace === undefined) {
    const all = await orders.statuses();
    if (!all.ok) return all;
    return { ok: true, text: output === 'table' ? statusTable(all.value, now) : asData(all.value, output) } as const;
  }
  const one = await orders.status(namespace);
  if (!one.ok) return one;
  return { ok: true, text: output === 'table' ? statusText(one.value, now) : asData(one.value, output) } as const;
}

async function status(namespace: string | undefined, flags: StatusFlags): Promise<void> {
  await asking('status', flags, async (orders) => {
    let before = '';
    for (;;) {
      const answer = await textOf(orders, namespace, flags.output);
      if (!answer.ok) return fail('status', 1, answer.error, answer.heldBy);
      if (answer.text !== before)
        process.stdout.write(before === '' || flags.output !== 'table' ? answer.text : `\n${answer.text}`);
      if (flags.watch !== true) return undefined;
      before = answer.text;
      await pause(WATCH_MS);
    }
  });
}

export function statusCommand(): Command {
  return addWhere(new Command('status'))
    .description('how far namespaces are on the way to zero trust, and what holds them')
    .argument('[namespace]', 'all about one; without it a line for each')
    .addOption(outputOption('table', 'json', 'yaml'))
    .option('--watch', 'print it again whenever it changes, until interrupted')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse rollout status
  gatehouse rollout status bookinfo --watch
  gatehouse rollout status bookinfo -o json | jq -r '.heldBy[]'`,
    )
    .action(status);
}

interface HistoryFlags extends WhereFlags {
  readonly output: Format;
}

async function history(namespace: string, flags: HistoryFlags): Promise<void> {
  await asking('history', flags, async (orders) => {
    const answer = await orders.status(namespace);
    if (!answer.ok) return fail('history', 1, answer.error, answer.heldBy);
    const steps: RolloutStatus['history'] = answer.value.history;
    if (flags.output !== 'table') process.stdout.write(asData(steps, flags.output));
    else process.stdout.write(steps.length === 0 ? `${namespace} has taken no step yet\n` : historyLines(steps, true));
    return undefined;
  });
}

export function historyCommand(): Command {
  return addWhere(new Command('history'))
    .description('every step of a namespace: who, when, why, and the evidence that it rested on; the latest first')
    .argument('<namespace>')
    .addOption(outputOption('table', 'json', 'yaml'))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse rollout history bookinfo
  gatehouse rollout history bookinfo -o json | jq '.[0].gates'`,
    )
    .action(history);
}
