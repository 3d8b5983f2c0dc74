import { Command, Option } from 'commander';
import type { ReasonReport, ScopeReport } from '../serve/scope-report.ts';
import { ask } from './control-plane-api.ts';
import { fail } from './fail.ts';
import { plainTable } from './table.ts';

interface ScopeFlags {
  readonly http: string;
  readonly output: string;
}

/** To the second. */
const when = (iso: string): string => iso.replace(/\.\d+Z$/, 'Z');

function reasonText(reason: ReasonReport): string {
  switch (reason.kind) {
    case 'called':
      return `called, ${when(reason.firstSeen)} to ${when(reason.lastSeen)}, and policy may allow it`;
    case 'asked':
      return `asked for by a call at ${when(reason.at)}`;
    case 'routed':
      return `VirtualService ${reason.by} leads there`;
    case 'mirrored':
      return `VirtualService ${reason.by} mirrors requests to it`;
    case 'provider':
      return 'a provider of the mesh configuration, which proxies call by themselves';
    case 'held':
      return 'the proxy has it, and keeps it while it runs';
    default:
      return reason satisfies never;
  }
}

/** `gatehouse proxy scope`: the services that a proxy was told of, and why. */
export function scopeCommand(): Command {
  return new Command('scope')
    .description('which services a proxy with an automatic scope was told of, and why')
    .argument('<namespace/pod>', 'the pod, as proxy status names it')
    .option('--http <host:port>', "the control plane's --http-address", '127.0.0.1:15014')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
A service that is not in the list is asked for by the first call to it. Exits with 1 where the proxy is told of all services.

Examples:
  gatehouse proxy scope shop/web-5d9f
  gatehouse proxy scope shop/web-5d9f -o json`,
    )
    .action(async (pod: string, { http, output }: ScopeFlags) => {
      const [namespace = '', name = '', ...rest] = pod.split('/');
      if (namespace === '' || name === '' || rest.length > 0)
        return fail('scope', 2, `${pod} is no NAMESPACE/POD (gatehouse proxy status lists the pods, as POD.NAMESPACE)`);
      const query = new URLSearchParams({ namespace, pod: name });
      const asked = await ask<ScopeReport>(http, 'GET', `/debug/scope?${query.toString()}`);
      if (!asked.ok) return fail('scope', asked.kind === 'usage' ? 2 : 1, asked.reason);
      if (output === 'json') return void process.stdout.write(`${JSON.stringify(asked.value, null, 2)}\n`);
      const { services, of } = asked.value;
      process.stdout.write(`Automatic scope: ${services.length} of ${of} services\n`);
      const rows = services.flatMap(({ service, reasons }) =>
        reasons.map((reason, at) => [at === 0 ? service : '', reasonText(reason)]),
      );
      if (rows.length > 0) process.stdout.write(plainTable(['SERVICE', 'WHY'], rows));
    });
}
