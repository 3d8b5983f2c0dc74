import { Option, type Command } from 'commander';
import { addClusterFlags, type ClusterFlags } from '../input/cluster/flags.ts';
import { ordersBySocket, type RolloutOrders } from './orders.ts';

/** Where rollouts are run; options of every subcommand. */
export interface WhereFlags extends ClusterFlags {
  readonly caDir: string;
}

export function addWhere(command: Command): Command {
  return addClusterFlags(command).addOption(
    new Option('--ca-dir <dir>', "the authority's folder of the control plane that runs (of up: RUN-DIR/ca)")
      .env('GATEHOUSE_CA_DIR')
      .default('.gatehouse/ca'),
  );
}

type Where = { readonly ok: true; readonly orders: RolloutOrders } | { readonly ok: false; readonly reason: string };

async function ordersOf(flags: WhereFlags): Promise<Where> {
  const { kubernetes = false, kubeconfig, context, systemNamespace } = flags;
  if (!kubernetes && kubeconfig === undefined && context === undefined) return { ok: true, orders: ordersBySocket(flags.caDir) };
  // Loaded only for this.
  const [{ ordersOfCluster }, { AccessError }] = await Promise.all([
    import('./cluster.ts'),
    import('../../kubernetes/api/access.ts'),
  ]);
  try {
    return { ok: true, orders: await ordersOfCluster({ kubeconfig, context, systemNamespace, clusterRole: undefined }) };
  } catch (error) {
    if (error instanceof AccessError) return { ok: false, reason: error.message };
    throw error;
  }
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
