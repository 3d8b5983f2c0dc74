import { Argument, Command, Option } from 'commander';
import {
  clusterRows,
  endpointRows,
  listenerRows,
  policyRows,
  routeRows,
  type Row,
  secretRows,
  type ShownResource,
} from './config-rows.ts';
import { ask } from './control-plane-api.ts';
import { fail } from './fail.ts';
import { printable } from './printable.ts';
import { plainTable } from './table.ts';

interface ConfigFlags {
  readonly http: string;
  readonly name?: string;
  readonly output: string;
}

interface Section {
  readonly types: readonly string[];
  readonly head: readonly string[];
  readonly rows: (found: ShownResource) => readonly Row[];
}

const SECTIONS = Object.freeze({
  clusters: { types: ['CDS'], head: ['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE', 'STATE'], rows: clusterRows },
  listeners: { types: ['LDS'], head: ['ADDRESS', 'PORT', 'MATCH', 'DESTINATION', 'NAME', 'STATE'], rows: listenerRows },
  routes: { types: ['RDS', 'VHDS'], head: ['ROUTES', 'HOST', 'DOMAINS', 'MATCH', 'DESTINATION', 'STATE'], rows: routeRows },
  endpoints: {
    types: ['EDS'],
    head: ['ENDPOINT', 'STATUS', 'WEIGHT', 'LOCALITY', 'PRIORITY', 'CLUSTER', 'STATE'],
    rows: endpointRows,
  },
  policy: { types: ['ECDS'], head: ['NAME', 'FILTER', 'HOLDS', 'STATE'], rows: policyRows },
  secrets: { types: ['SDS'], head: ['NAME', 'KIND', 'VERSION', 'STATE'], rows: secretRows },
} as const satisfies Readonly<Record<string, Section>>);

type SectionName = keyof typeof SECTIONS;
const NAMES: readonly SectionName[] = ['clusters', 'listeners', 'routes', 'endpoints', 'policy', 'secrets'];

interface Answer {
  readonly snapshot: number;
  readonly resources: readonly ShownResource[];
}

function print(sections: readonly SectionName[], { resources }: Answer): void {
  for (const [at, name] of sections.entries()) {
    const { types, head, rows }: Section = SECTIONS[name];
    const found = resources.filter(({ type }) => types.includes(type));
    if (sections.length > 1) process.stdout.write(`${at === 0 ? '' : '\n'}${name.toUpperCase()}\n`);
    if (found.length === 0) process.stdout.write('(none)\n');
    else process.stdout.write(plainTable(head, found.flatMap(rows)));
  }
  for (const { type, name, state, message } of resources)
    if (state === 'rejected') process.stderr.write(`rejected: ${type} ${name}: ${printable(message ?? '')}\n`);
}

export function configCommand(): Command {
  return new Command('config')
    .description('what the control plane has told a proxy, and what of it the proxy has acknowledged')
    .argument('<namespace/pod>', 'the pod, as proxy status names it')
    .addArgument(new Argument('[kind]', 'what to show').choices([...NAMES, 'all']).default('all'))
    .option('--http <host:port>', "the control plane's --http-address", '127.0.0.1:15014')
    .option('--name <text>', 'only resources whose name has this in it')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
STATE is acknowledged, sent (no answer yet), rejected (the proxy keeps what it had) or waiting (not told yet). Certificates and keys
are the agent's, and not here: gatehouse proxy secrets. Exits with 1 when a resource is rejected.

Examples:
  gatehouse proxy config shop/web-5d9f clusters
  gatehouse proxy config shop/web-5d9f routes --name users.shop
  gatehouse proxy config shop/web-5d9f all -o json`,
    )
    .action(async (pod: string, kind: SectionName | 'all', { http, name, output }: ConfigFlags) => {
      const [namespace = '', podName = '', ...rest] = pod.split('/');
      if (namespace === '' || podName === '' || rest.length > 0)
        return fail('config', 2, `${pod} is no NAMESPACE/POD (gatehouse proxy status lists the pods, as POD.NAMESPACE)`);
      const sections = kind === 'all' ? NAMES : [kind];
      const query = new URLSearchParams({
        namespace,
        pod: podName,
        types: sections.flatMap((one) => SECTIONS[one].types).join(','),
        ...(name !== undefined && { name }),
      });
      const asked = await ask<Answer>(http, 'GET', `/debug/config?${query.toString()}`, 60_000);
      if (!asked.ok) return fail('config', asked.kind === 'usage' ? 2 : 1, asked.reason);
      if (output === 'json') process.stdout.write(`${JSON.stringify(asked.value, null, 2)}\n`);
      else print(sections, asked.value);
      if (asked.value.resources.some(({ state }) => state === 'rejected')) process.exitCode = 1;
    });
}
