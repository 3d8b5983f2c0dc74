import { Command } from 'commander';
import type { ApiClient } from '../kubernetes/api/client.ts';
import { mapAt, textAt } from '../kubernetes/api/json.ts';
import { clusterName } from '../kubernetes/install/names.ts';
import { DEFAULTS } from '../kubernetes/install/options.ts';
import { REVISION_LABEL, TAG_LABEL } from '../kubernetes/install/tag.ts';
import { addKubeOptions, type KubeFlags, labelsOf, list, nameOf, PLURALS, Refused, remove, withCluster } from './tag/cluster.ts';
import { namespacesThatName, tagsOf } from './tag/tags.ts';

interface UninstallFlags extends KubeFlags {
  readonly revision?: string;
  readonly purge?: true;
  readonly namespace: string;
  readonly yes?: true;
  readonly force?: true;
}

interface Found {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
}

const HELP = `
Without --yes it only prints what would go. A revision that is still in use (by a tag, a namespace or a pod with its proxy) stays, unless --force says otherwise; what
revisions share (the authority, the trust bundles, the namespace) stays until --purge. Definitions (CRDs) and configuration stay in any case.

Examples:
  gatehouse uninstall --revision 1-0
  gatehouse uninstall --revision 1-0 --yes
  gatehouse uninstall --purge --yes

Exit code: 0 done (or printed), 1 refused, 2 wrong usage.`;

export function uninstallCommand(): Command {
  return addKubeOptions(
    new Command('uninstall')
      .description('take one revision out of a cluster, or everything of ours')
      .option('--revision <name>', 'this one alone')
      .option('--purge', 'all revisions, tags and gateways, the authority with its key, and the namespace')
      .option('-n, --namespace <name>', 'where the control plane runs', DEFAULTS.namespace)
      .option('-y, --yes', 'do it')
      .option('--force', 'also when it is still in use'),
  )
    .addHelpText('after', HELP)
    .action(uninstall);
}

async function uninstall(flags: UninstallFlags): Promise<void> {
  if ((flags.revision === undefined) === (flags.purge === undefined)) {
    process.stderr.write('gatehouse uninstall: give --revision NAME, or --purge\n');
    process.exitCode = 2;
    return;
  }
  await withCluster('uninstall', flags, async (client) => {
    const { revision, namespace } = flags;
    const selector = revision === undefined ? 'app.kubernetes.io/part-of=gatehouse' : `${REVISION_LABEL}=${revision}`;
    const found = (await objectsOf(client, selector)).filter((one) => revision === undefined || isOf(one, revision, namespace));
    if (found.length === 0) throw new Refused(`nothing of ${revision === undefined ? 'ours' : `revision ${revision}`} is there`);
    if (revision !== undefined && flags.force !== true) await refuseInUse(client, revision, namespace);
    const namespaces = flags.purge === undefined ? [] : [namespace, `${namespace}-node`];
    if (flags.yes !== true) {
      for (const one of found) process.stdout.write(`${printed(one)}\n`);
      for (const name of namespaces) process.stdout.write(`Namespace ${name}\n`);
      process.stdout.write('Nothing was deleted; --yes does it.\n');
      return;
    }
    // The trust bundles are owned by ClusterRoles: those of a revision that goes must not take them from one that stays.
    const others = (await objectsOf(client, 'app=gatehouse', ['ClusterRole'])).some(
      ({ labels }) => labels[REVISION_LABEL] !== revision && labels[TAG_LABEL] === undefined,
    );
    for (const one of found) {
      const orphan = revision !== undefined && one.kind === 'ClusterRole' && others;
      if (await remove(client, one, orphan ? 'Orphan' : 'Background')) process.stdout.write(`${printed(one)} deleted\n`);
    }
    for (const name of namespaces)
      if (await remove(client, { kind: 'Namespace', name })) process.stdout.write(`Namespace ${name} deleted\n`);
  });
}

async function objectsOf(
  client: ApiClient,
  labelSelector: string,
  kinds: readonly string[] = Object.keys(PLURALS),
): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const kind of kinds)
    for (const object of await list(client, `/${PLURALS[kind] ?? ''}`, { labelSelector })) {
      const namespace = textAt(object, 'metadata', 'namespace');
      found.push({ kind, name: nameOf(object), labels: labelsOf(object), ...(namespace !== '' && { namespace }) });
    }
  return found;
}

/** An installation in another namespace may have a revision of the same name. */
function isOf({ name, namespace, labels }: Found, revision: string, system: string): boolean {
  if (namespace !== undefined) return namespace === system || name.endsWith('-secrets') || namespace === `${system}-node`;
  if (labels[TAG_LABEL] !== undefined)
    return name === `${clusterName({ revision: 'default', namespace: system })}-tag-${labels[TAG_LABEL]}`;
  const own = clusterName({ revision, namespace: system });
  return name === own || name === `${own}-injector` || name === `${own}-validator` || name.startsWith('csi.');
}

/** @throws Refused with who uses it, and what to do */
async function refuseInUse(client: ApiClient, revision: string, namespace: string): Promise<void> {
  const tags = (await tagsOf(client, namespace)).filter((one) => one.revision === revision).map(({ tag }) => tag);
  if (tags.length > 0)
    throw new Refused(`revision ${revision} is what these tags stand for: ${tags.join(', ')} (gatehouse tag set … --overwrite)`);
  const isTag = (await tagsOf(client, namespace)).some(({ tag }) => tag === revision);
  const namespaces = isTag ? [] : namespacesThatName(await list(client, '/api/v1/namespaces'), revision);
  if (namespaces.length > 0)
    throw new Refused(`namespaces name revision ${revision}: ${namespaces.join(', ')} (label them otherwise)`);
  const pods = (await list(client, '/api/v1/pods', { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' })).filter(
    (pod) => mapAt(pod, 'metadata', 'annotations')['istio.io/rev'] === revision,
  );
  if (pods.length > 0) {
    const some = pods.slice(0, 5).map((pod) => `${textAt(pod, 'metadata', 'namespace')}/${nameOf(pod)}`);
    throw new Refused(
      `${pods.length} pods have proxies of revision ${revision}, which would lose their control plane: ${some.join(', ')}${pods.length > 5 ? ', …' : ''} (restart their workloads)`,
    );
  }
}

function printed({ kind, name, namespace }: Found): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
