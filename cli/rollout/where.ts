import { Option, type Command } from 'commander';
import { ordersBySocket, type RolloutOrders } from './orders.ts';

/** Where rollouts are run; options of every subcommand. */
export interface WhereFlags {
  readonly caDir: string;
}

export function addWhere(command: Command): Command {
  return command.addOption(
    new Option('--ca-dir <dir>', "the authority's folder of the control plane that runs (of up: RUN-DIR/ca)")
      .env('GATEHOUSE_CA_DIR')
      .default('.gatehouse/ca'),
  );
}

type Where = { readonly ok: true; readonly orders: RolloutOrders } | { readonly ok: false; readonly reason: string };

export function ordersOf(flags: WhereFlags): Promise<Where> {
  return Promise.resolve({ ok: true, orders: ordersBySocket(flags.caDir) });
}

/** Runs what asks a control plane, and ends it. Wrong usage is exit code 2. */
export async function asking(command: string, flags: WhereFlags, work: (orders: RolloutOrders) => Promise<void>): Promise<void> {
  const where = await ordersOf(flags);
  if (!where.ok) return fail(command, 2, where.reason);
  try {
    await work(where.orders);
  } finally {
    where.orders.close?.();
  }
}

export function fail(command: string, code: 1 | 2, reason: string, heldBy: readonly string[] = []): void {
  process.stderr.write(`gatehouse rollout ${command}: ${reason}\n`);
  for (const text of heldBy) process.stderr.write(`  held by ${text}\n`);
  process.exitCode = code;
}
