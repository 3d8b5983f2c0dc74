import { existsSync } from 'node:fs';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { refuse } from './input/change.ts';
import { ManifestFolder } from './input/folder.ts';
import { gatewayApiColumns } from './input/gateway-api-columns.ts';
import { withStatus } from './input/gateway-api-status.ts';
import { KIND_NAMES, kindNamed, resourceOf } from './input/kind-names.ts';
import { isRecord, type Manifest } from './input/manifest.ts';
import { dirOption, namespaceOption } from './input/options.ts';

interface GetFlags {
  readonly dir: string;
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly output: 'table' | 'wide' | 'yaml' | 'json' | 'name';
}

/** `gatehouse get`: lists the objects of a folder. */
export function getCommand(): Command {
  const kinds = KIND_NAMES.map(
    ({ kind, plural, group, short }) =>
      `${kind === 'KubernetesGateway' ? `${plural}.${group}` : plural}${short.length === 0 ? '' : ` (${short.join(', ')})`}`,
  ).join(', ');
  return new Command('get')
    .description('list or print objects of a folder of configuration')
    .argument('<kinds>', 'a kind, several with commas between, or all')
    .argument('[names...]', 'names; without them all objects of the kind')
    .addOption(dirOption())
    .addOption(namespaceOption())
    .option('-A, --all-namespaces', 'objects of all namespaces')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'yaml', 'json', 'name']).default('table'),
    )
    .addHelpText(
      'after',
      `
Examples:
  gatehouse get virtualservices
  gatehouse get vs reviews -n shop -o yaml
  gatehouse get all -A
  gatehouse get httproutes -o wide               # with what became of them
  gatehouse get gateways.gateway.networking.k8s.io -o yaml

Kinds: ${kinds}`,
    )
    .action((words: string, names: readonly string[], flags: GetFlags) => {
      const kinds = kindsOf(words);
      if (kinds === undefined) return refuse('get', [`"${words}" is no kind (see gatehouse get --help)`], 2);
      if (!existsSync(flags.dir))
        return refuse('get', [`the folder ${flags.dir} does not exist (give --dir, or set GATEHOUSE_DIR)`]);
      const all = new ManifestFolder(flags.dir).manifests;
      const chosen = all.filter(
        (one) =>
          kinds.has(one.kind) &&
          (flags.allNamespaces === true || one.namespace === '' || one.namespace === flags.namespace) &&
          (names.length === 0 || names.includes(one.name)),
      );
      const now = new Date();
      const found = withStatus(chosen, flags.dir, now);
      const missing = names.filter((name) => found.every((one) => one.name !== name));
      print(found, names.length === 1, flags, now);
      if (missing.length > 0)
        return refuse(
          'get',
          missing.map((name) => `${words} "${name}" not found in namespace ${flags.namespace}`),
        );
      if (found.length === 0)
        process.stderr.write(
          flags.allNamespaces === true ? 'No resources found.\n' : `No resources found in ${flags.namespace} namespace.\n`,
        );
      return undefined;
    });
}

function kindsOf(words: string): ReadonlySet<string> | undefined {
  if (words === 'all') return new Set(KIND_NAMES.map(({ kind }) => kind));
  const kinds = words.split(',').map(kindNamed);
  return kinds.includes(undefined) ? undefined : new Set(kinds.filter((kind) => kind !== undefined));
}

function print(found: readonly Manifest[], single: boolean, { output, allNamespaces }: GetFlags, now: Date): void {
  const values = found.map(({ value }) => value);
  const [first] = values;
  const whole = single && values.length === 1 ? first : { apiVersion: 'v1', kind: 'List', items: values };
  switch (output) {
    case 'json':
      process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
      return;
    case 'yaml':
      process.stdout.write(stringify(whole, { lineWidth: 0, aliasDuplicateObjects: false }));
      return;
    case 'name':
      for (const one of found) process.stdout.write(`${resourceOf(one.kind, one.apiVersion)}/${one.name}\n`);
      return;
    case 'table':
    case 'wide':
      if (found.length > 0)
        process.stdout.write(`${tables(found, { namespaces: allNamespaces === true, wide: output === 'wide', now })}\n`);
      return;
  }
  output satisfies never;
}

interface Form {
  readonly namespaces: boolean;
  readonly wide: boolean;
  readonly now: Date;
}

/** One table for kinds with columns in common, as kubectl prints them. */
function tables(found: readonly Manifest[], form: Form): string {
  const several = new Set(found.map(({ kind }) => kind)).size > 1;
  const groups = Map.groupBy(found, ({ kind }) => (gatewayApiColumns(kind, form.wide, form.now) === undefined ? '' : kind));
  return [...groups].map(([kind, group]) => table(kind, group, several, form)).join('\n\n');
}

function table(kind: string, found: readonly Manifest[], several: boolean, { namespaces, wide, now }: Form): string {
  const columns = gatewayApiColumns(kind, wide, now) ?? ISTIO_COLUMNS;
  const chars = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  };
  const rows = new Table({
    chars,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    head: [...(namespaces ? ['NAMESPACE'] : []), 'NAME', ...columns.map(([heading]) => heading)],
  });
  for (const one of found) {
    const name = several ? `${resourceOf(one.kind, one.apiVersion)}/${one.name}` : one.name;
    rows.push([...(namespaces ? [one.namespace] : []), name, ...columns.map(([, of]) => of(one.value))]);
  }
  return rows
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function specOf(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return isRecord(object['spec']) ? object['spec'] : {};
}

const ISTIO_COLUMNS: NonNullable<ReturnType<typeof gatewayApiColumns>> = [
  ['GATEWAYS', (object) => listed(specOf(object)['gateways'])],
  ['HOSTS', (object) => listed(specOf(object)['hosts'] ?? specOf(object)['host'])],
];

function listed(value: unknown): string {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string').join(',') : '';
}
