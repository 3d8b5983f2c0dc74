import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { refuse } from './input/change.ts';
import { addClusterFlags, clusterWish } from './input/cluster/flags.ts';
import type { GetClusterFlags } from './input/cluster/get.ts';
import { ManifestFolder } from './input/folder.ts';
import { withStatus } from './input/gateway-api-status.ts';
import { KIND_NAMES } from './input/kind-names.ts';
import { parseLabelSelector } from './input/label-selector.ts';
import { isRecord, type Manifest } from './input/manifest.ts';
import { askedBy } from './input/object-words.ts';
import { dirOption } from './input/options.ts';
import { printObjects } from './input/print-objects.ts';

interface GetFlags extends GetClusterFlags {
  readonly dir: string;
}

/** `gatehouse get`: lists the objects of a folder, or of a cluster. */
export function getCommand(): Command {
  const kinds = KIND_NAMES.map(
    ({ kind, plural, group, short }) =>
      `${kind === 'KubernetesGateway' ? `${plural}.${group}` : plural}${short.length === 0 ? '' : ` (${short.join(', ')})`}`,
  ).join(', ');
  const command = new Command('get');
  command
    .description('list or print objects of a folder of configuration, or of a cluster')
    .argument('<kinds...>', 'a kind, several with commas between, or all; then names (or kind/name ...)')
    .addOption(dirOption())
    .option('-n, --namespace <name>', "namespace of the objects (default: default; in a cluster the context's)")
    .option('-A, --all-namespaces', 'objects of all namespaces')
    .option('-l, --selector <labels>', 'only objects with these labels, as app=web,tier!=back')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'yaml', 'json', 'name']).default('table'),
    )
    .option('--show-managed-fields', 'in a cluster, with yaml and json: who owns which field')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse get virtualservices
  gatehouse get vs reviews -n shop -o yaml
  gatehouse get all -A
  gatehouse get httproutes -o wide               # with what became of them
  gatehouse get gateways.gateway.networking.k8s.io -o yaml
  gatehouse get vs,dr -A -o wide --kubernetes    # of the kubeconfig's cluster
  gatehouse get vs -l app=web --context prod

Kinds: ${kinds}`,
    )
    .action(async (words: readonly string[], flags: GetFlags) => {
      const wish = clusterWish(command, flags);
      if (!wish.ok) return refuse('get', [wish.reason], 2);
      const asked = askedBy(words);
      if (asked === undefined) return refuse('get', [`"${words.join(' ')}" is no kind (see gatehouse get --help)`], 2);
      const selector = flags.selector === undefined ? undefined : parseLabelSelector(flags.selector);
      if (selector?.ok === false) return refuse('get', [selector.reason], 2);
      if (selector !== undefined && asked.some(({ names }) => names.length > 0))
        return refuse('get', ['give names or -l, not both'], 2);
      if (wish.value !== undefined) {
        const { getFromCluster } = await import('./input/cluster/get.ts');
        return getFromCluster(asked, words[0] === 'all', wish.value, flags);
      }
      if (!existsSync(flags.dir))
        return refuse('get', [
          `the folder ${flags.dir} does not exist (give --dir, or set GATEHOUSE_DIR; --kubernetes for a cluster)`,
        ]);
      return fromFolder(words, asked, (one) => selector?.value(labelsOf(one)) ?? true, flags);
    });
  return addClusterFlags(command);
}

function fromFolder(
  words: readonly string[],
  asked: NonNullable<ReturnType<typeof askedBy>>,
  isMeant: (one: Manifest) => boolean,
  flags: GetFlags,
): void {
  const { namespace = 'default', allNamespaces = false, dir } = flags;
  const chosen = new ManifestFolder(dir).manifests.filter(
    (one) =>
      asked.some(({ kind, names }) => kind === one.kind && (names.length === 0 || names.includes(one.name))) &&
      (allNamespaces || one.namespace === '' || one.namespace === namespace) &&
      isMeant(one),
  );
  const now = new Date();
  const found = withStatus(chosen, dir, now);
  const missing = [...new Set(asked.flatMap(({ names }) => names))].filter((name) => found.every((one) => one.name !== name));
  printObjects(found, asked.flatMap(({ names }) => names).length === 1, flags, now, false);
  if (missing.length > 0)
    return refuse(
      'get',
      missing.map((name) => `${words[0] ?? ''} "${name}" not found in namespace ${namespace}`),
    );
  if (found.length === 0)
    process.stderr.write(allNamespaces ? 'No resources found.\n' : `No resources found in ${namespace} namespace.\n`);
  return undefined;
}

function labelsOf({ value }: Manifest): Readonly<Record<string, unknown>> {
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  return isRecord(metadata['labels']) ? metadata['labels'] : {};
}
