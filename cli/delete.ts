import { Command, Option } from 'commander';
import { isClusterScoped } from '../mesh/model/gateway-api-kinds.ts';
import { type Change, type ChangeFlags, changeFolder, manifestsOf, refuse } from './input/change.ts';
import type { DeleteClusterFlags } from './input/cluster/delete.ts';
import { addClusterFlags, clusterWish, dryRunOption } from './input/cluster/flags.ts';
import type { ManifestFolder } from './input/folder.ts';
import { parseLabelSelector } from './input/label-selector.ts';
import { askedBy } from './input/object-words.ts';
import { diagnosticsOption, dirOption, filenameOption } from './input/options.ts';

type DeleteFlags = ChangeFlags & DeleteClusterFlags;

/** `gatehouse delete`: by file, or by kind and name. */
export function deleteCommand(): Command {
  const command = new Command('delete');
  command
    .description('delete objects from a folder of configuration, or from a cluster')
    .argument('[words...]', 'a kind, as virtualservice, vs or virtualservices.networking.istio.io, and names (or kind/name ...)')
    .addOption(filenameOption())
    .addOption(dirOption())
    .option('-n, --namespace <name>', "namespace of the objects (default: default; in a cluster the context's)")
    .option('--ignore-not-found', 'do not mind objects that are not there')
    .option('-l, --selector <labels>', 'in a cluster: all of the kind with these labels')
    .option('--all', 'in a cluster: all of the kind in the namespace')
    .option('-A, --all-namespaces', 'in a cluster, with -l or --all: of every namespace')
    .option('--no-wait', 'in a cluster: do not wait until objects with finalizers are gone')
    .option('--no-together', 'in a cluster: do not look who refers to what goes')
    .addOption(dryRunOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'print what was done as').choices(['json', 'name']))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse delete virtualservice reviews
  gatehouse delete vs reviews ratings -n shop
  gatehouse delete -f route.yaml
  gatehouse delete vs/reviews dr/reviews --kubernetes --dry-run
  gatehouse delete vs -l app=web --context prod`,
    )
    .action(async (words: readonly string[], flags: DeleteFlags) => {
      const wish = clusterWish(command, flags);
      if (!wish.ok) return refuse('delete', [wish.reason], 2);
      const wrong = wrongUsage(words, flags, wish.value !== undefined);
      if (wrong !== undefined) return refuse('delete', [wrong], 2);
      const asked = flags.filename === undefined ? (askedBy(words) ?? []) : undefined;
      if (wish.value !== undefined) {
        const { deleteInCluster } = await import('./input/cluster/delete.ts');
        return deleteInCluster(asked, wish.value, flags);
      }
      const namespace = flags.namespace ?? 'default';
      const keys =
        asked?.flatMap(({ kind, names }) =>
          names.map((name) => (isClusterScoped(kind) ? `${kind} ${name}` : `${kind} ${namespace}/${name}`)),
        ) ?? manifestsOf('delete', flags)?.map(({ key }) => key);
      if (keys !== undefined)
        await changeFolder('delete', flags, (folder) => remove(folder, keys, flags.ignoreNotFound ?? false));
      return undefined;
    });
  return addClusterFlags(command);
}

function wrongUsage(words: readonly string[], flags: DeleteFlags, cluster: boolean): string | undefined {
  const { filename, selector, all = false, allNamespaces = false } = flags;
  const several = selector !== undefined || all;
  if (!cluster && (several || allNamespaces)) return '-l, --all and -A: only with --kubernetes';
  if (filename !== undefined) return words.length > 0 || several ? 'give either -f or a kind and names' : undefined;
  if (words.length === 0) return 'give a kind and a name, or -f';
  const asked = askedBy(words);
  if (asked === undefined || words[0] === 'all') return `"${words[0] ?? ''}" is no kind (see gatehouse get --help)`;
  const named = asked.every(({ names }) => names.length > 0);
  if (!named && !several) return 'give a kind and a name, or -f';
  if (asked.some(({ names }) => names.length > 0) && (several || allNamespaces)) return 'give names, or -l or --all, not both';
  const parsed = selector === undefined ? undefined : parseLabelSelector(selector);
  return parsed?.ok === false ? parsed.reason : undefined;
}

function remove(folder: ManifestFolder, keys: readonly string[], ignoreNotFound: boolean): Change {
  const missing = keys.filter((key) => folder.get(key) === undefined);
  if (missing.length > 0 && !ignoreNotFound) return { ok: false, reasons: missing.map((key) => `${key} not found`) };
  const changed = keys.flatMap((key) => {
    const manifest = folder.get(key);
    const file = folder.fileOf(key);
    return manifest !== undefined && folder.remove(key) ? [{ manifest, outcome: 'deleted', file }] : [];
  });
  return { ok: true, changed };
}
