import { request } from 'node:http';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { parseListenAddress } from '../options/address.ts';
import { readBody } from './body.ts';
import { fail } from './fail.ts';

interface StatusFlags {
  readonly http: string;
  readonly output: string;
}

/** The part of /debug/syncz that is shown. */
interface SyncStatus {
  readonly snapshot: number;
  readonly proxies: readonly {
    readonly node: string;
    readonly identity: string;
    readonly variant: string;
    readonly connectedAt: string;
    readonly acknowledged: number;
    readonly rejected: readonly { readonly typeUrl: string; readonly name?: string; readonly message: string }[];
  }[];
}

function state(acknowledged: number, snapshot: number): string {
  return acknowledged >= snapshot ? 'in sync' : `at ${acknowledged} of ${snapshot}`;
}

function printTable({ snapshot, proxies }: SyncStatus): void {
  const table = new Table({
    head: ['PROXY', 'IDENTITY', 'PROTOCOL', 'SINCE', 'STATE', 'REJECTED'],
    style: { head: [], border: [], compact: true },
  });
  for (const { node, identity, variant, connectedAt, acknowledged, rejected } of proxies) {
    const refused = rejected.map(({ typeUrl, name, message }) => `${typeUrl.split('.').at(-1) ?? ''} ${name ?? ''}: ${message}`);
    table.push([
      node.split('~')[2] ?? node,
      identity,
      variant,
      connectedAt,
      state(acknowledged, snapshot),
      refused.join('; ') || '-',
    ]);
  }
  process.stdout.write(`Snapshot ${snapshot}\n${table.toString()}\n`);
}

export function statusCommand(): Command {
  return new Command('status')
    .description('each proxy connected to the control plane, and what it has acknowledged or rejected')
    .option('--http <host:port>', "the control plane's --http-address", '127.0.0.1:15014')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Exits with 1 when a proxy is behind or has rejected something.

Examples:
  gatehouse proxy status
  gatehouse proxy status --http 127.0.0.1:15014 -o json`,
    )
    .action(async ({ http, output }: StatusFlags) => {
      const address = parseListenAddress(http);
      if (!address.ok) return fail('status', 2, `--http: ${address.reason}`);
      const { host, port } = address.value;
      try {
        const text = await readBody(request({ host, port, path: '/debug/syncz' }));
        const status: SyncStatus = JSON.parse(text);
        if (output === 'json') process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
        else printTable(status);
        if (status.proxies.some(({ acknowledged, rejected }) => acknowledged < status.snapshot || rejected.length > 0))
          process.exitCode = 1;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        fail('status', 1, `no control plane answers at ${http}: ${reason} (name its --http-address with --http)`);
      }
    });
}
