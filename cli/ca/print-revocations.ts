import Table from 'cli-table3';
import type { Revocation } from '../../ca/revocation/revocation.ts';
import { print } from './folder-command.ts';

export function printRevocations(revocations: readonly Revocation[], output: 'table' | 'json'): void {
  if (output === 'json') {
    print({ revocations });
    return;
  }
  const table = new Table({ head: ['time', 'revoked', 'identity', 'reason', 'by'], style: { head: [], border: [] } });
  for (const entry of revocations) {
    const what = entry.kind === 'serial' ? `certificate ${entry.serial}` : `identity (${entry.certificates.length} certificates)`;
    table.push([entry.time, what, entry.identity ?? '', entry.reason, entry.by]);
  }
  process.stdout.write(`${table.toString()}\n`);
}
