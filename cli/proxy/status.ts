import { Command, Option } from 'commander';
import type { AppliedObject } from '../serve/applied.ts';
import type { ProxyReport } from '../serve/proxy-report.ts';
import { ask } from './control-plane-api.ts';
import { fail } from './fail.ts';
import { distance } from './secrets.ts';
import { printable } from './printable.ts';
import { plainTable } from './table.ts';

interface StatusFlags {
  readonly http: string;
  readonly objects?: boolean;
  readonly all?: boolean;
  readonly output: string;
}

interface SyncStatus {
  readonly snapshot: number;
  readonly proxies: readonly ProxyReport[];
}

interface Objects {
  readonly snapshot: number;
  readonly objects: readonly AppliedObject[];
}

const TYPES = ['CDS', 'EDS', 'LDS', 'RDS', 'VHDS', 'ECDS'] as const;

/** One word for a type, as in `istioctl proxy-status`. */
function typeState({ types, rejected, acknowledged }: ProxyReport, type: string, snapshot: number): string {
  const of = types.find((one) => one.type === type);
  if (of === undefined) return '-';
  const refused = rejected.filter((one) => one.type === type).length;
  if (refused > 0) return `REJECTED ${refused}`;
  if (of.outstanding > 0) return `SENT ${of.outstanding}`;
  return of.responses === 0 && acknowledged < snapshot ? 'NOT SENT' : 'SYNCED';
}

function proxyState({ known, acknowledged, waitingSince }: ProxyReport, snapshot: number, now: number): string {
  if (!known) return 'pod not in the mesh';
  if (acknowledged >= snapshot) return 'in sync';
  const since = waitingSince === null ? '' : `, for ${distance(waitingSince, now).replace(' ago', '')}`;
  return `at ${acknowledged} of ${snapshot}${since}`;
}

/** Which services a proxy was told of: proxy scope lists them. */
function scopeText({ automaticScope }: ProxyReport): string {
  return automaticScope === undefined ? '-' : `${automaticScope.services} of ${automaticScope.of}`;
}

function printProxies({ snapshot, proxies }: SyncStatus): void {
  const now = Date.now();
  const scoped = proxies.some(({ automaticScope }) => automaticScope !== undefined);
  const rows = proxies.map((proxy) => [
    proxy.pod,
    proxy.identity ?? 'none (plain text)',
    proxy.variant,
    distance(proxy.connectedAt, now),
    proxyState(proxy, snapshot, now),
    ...(scoped ? [scopeText(proxy)] : []),
    ...TYPES.map((type) => typeState(proxy, type, snapshot)),
  ]);
  process.stdout.write(`Snapshot ${snapshot}\n`);
  process.stdout.write(
    plainTable(['PROXY', 'IDENTITY', 'PROTOCOL', 'CONNECTED', 'STATE', ...(scoped ? ['SCOPE'] : []), ...TYPES], rows),
  );
  const refusals = proxies.flatMap(({ pod, rejected }) => rejected.map((one) => ({ pod, ...one })));
  if (refusals.length === 0) return;
  process.stdout.write('\nRejected:\n');
  for (const { pod, type, name, message, causes } of refusals) {
    process.stdout.write(`  ${pod}: ${type} ${name ?? ''}: ${printable(message)}\n`);
    for (const { object, file, line, changed } of causes)
      process.stdout.write(`    ${changed ? 'caused by' : 'made from'} ${object} (${file}:${line})\n`);
  }
}

function printObjects({ snapshot, objects }: Objects): void {
  process.stdout.write(`Snapshot ${snapshot}\n`);
  if (objects.length === 0) return void process.stdout.write('Every object is applied on every proxy.\n');
  const rows = objects.map(({ object, file, line, applied, of, lagging, rejectedBy }) => [
    object,
    file === undefined ? 'deleted' : `${file}:${String(line)}`,
    `${applied} of ${of}`,
    lagging.join(', ') || '-',
    rejectedBy.join(', ') || '-',
  ]);
  process.stdout.write(plainTable(['OBJECT', 'WRITTEN AT', 'APPLIED ON', 'NOT YET', 'REJECTED BY'], rows));
}

export function statusCommand(): Command {
  return new Command('status')
    .description('each proxy connected to the control plane, and what it has acknowledged or rejected')
    .option('--http <host:port>', "the control plane's --http-address", '127.0.0.1:15014')
    .option('--objects', 'by configured object: on how many proxies it is applied, and on which not')
    .option('--all', 'with --objects: also those that are applied everywhere')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Exits with 1 when a proxy is behind or has rejected something.

Examples:
  gatehouse proxy status
  gatehouse proxy status --objects
  gatehouse proxy status --http 127.0.0.1:15014 -o json`,
    )
    .action(async ({ http, objects, all, output }: StatusFlags) => {
      if (all === true && objects !== true) return fail('status', 2, '--all is for --objects');
      const asked =
        objects === true
          ? await ask<Objects>(http, 'GET', `/debug/objects${all === true ? '?all=1' : ''}`)
          : await ask<SyncStatus>(http, 'GET', '/debug/syncz');
      if (!asked.ok) return fail('status', asked.kind === 'usage' ? 2 : 1, asked.reason);
      const { value } = asked;
      if (output === 'json') process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
      else if ('objects' in value) printObjects(value);
      else printProxies(value);
      if (isFinding(value)) process.exitCode = 1;
    });
}

function isFinding(value: SyncStatus | Objects): boolean {
  if ('objects' in value) return value.objects.some(({ applied, of }) => applied < of);
  return value.proxies.some(
    ({ known, acknowledged, rejected }) => rejected.length > 0 || (known && acknowledged < value.snapshot),
  );
}
