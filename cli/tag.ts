import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { clusterName } from '../kubernetes/install/names.ts';
import { DEFAULT_REVISION, DEFAULTS } from '../kubernetes/install/options.ts';
import { checkTag, type Tag, tagObjects } from '../kubernetes/install/tag.ts';
import { plainTable } from './proxy/table.ts';
import { addKubeOptions, apply, find, type KubeFlags, Refused, remove, withCluster } from './tag/cluster.ts';
import { callsOf, tagsOf } from './tag/tags.ts';

interface PlaceFlags extends KubeFlags {
  readonly namespace: string;
}

interface SetFlags extends PlaceFlags {
  readonly revision: string;
  readonly overwrite?: true;
}

const HELP = `
A tag is a name for a revision: namespaces with istio.io/rev=TAG (or gatehouse.dev/rev=TAG) get the proxies of the revision that it stands for now, so that an upgrade
moves one tag and no labels. The tag "default" stands for whoever gets istio-injection=enabled and pods that name nobody.

Examples:
  gatehouse tag set prod --revision 1-0
  kubectl label namespace shop istio.io/rev=prod
  gatehouse tag set prod --revision 1-1 --overwrite
  gatehouse tag list -o json
  gatehouse tag remove prod
  gatehouse tag generate prod --revision 1-1 | kubectl apply --server-side -f -

Exit code: 0 done, 1 refused, 2 wrong usage.`;

export function tagCommand(): Command {
  const command = new Command('tag').description('names for revisions of the control plane').addHelpText('after', HELP);
  const namespace = (): Option =>
    new Option('-n, --namespace <name>', 'where the control plane runs').default(DEFAULTS.namespace);
  const revision = (): Option => new Option('--revision <name>', 'which revision it stands for').makeOptionMandatory();
  addKubeOptions(
    command
      .command('set')
      .description('make a tag, or move it to another revision with --overwrite')
      .argument('<tag>')
      .addOption(revision())
      .addOption(namespace())
      .option('--overwrite', 'move a tag that is there'),
  )
    .addHelpText('after', examples('gatehouse tag set prod --revision 1-0', 'gatehouse tag set prod --revision 1-1 --overwrite'))
    .action((name: string, flags: SetFlags) => set({ name, ...flags }, flags));
  command
    .command('generate')
    .description('print the objects of a tag, for kubectl or the repository that the cluster follows; nothing is asked')
    .argument('<tag>')
    .addOption(revision())
    .addOption(namespace())
    .addHelpText('after', examples('gatehouse tag generate prod --revision 1-1 | kubectl apply --server-side -f -'))
    .action((name: string, flags: SetFlags) => generate({ name, ...flags }));
  addKubeOptions(
    command
      .command('list')
      .description('tags, what they stand for, and the namespaces that name them')
      .addOption(namespace())
      .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table')),
  )
    .addHelpText('after', examples('gatehouse tag list', 'gatehouse tag list -o json'))
    .action((flags: PlaceFlags & { readonly output: string }) => listTags(flags));
  addKubeOptions(
    command
      .command('remove')
      .description('take a tag away')
      .argument('<tag>')
      .addOption(namespace())
      .option('-y, --skip-confirmation', 'also when namespaces name it, whose new pods then have no proxy'),
  )
    .addHelpText('after', examples('gatehouse tag remove prod'))
    .action((name: string, flags: PlaceFlags & { readonly skipConfirmation?: true }) => removeTag(name, flags));
  return command;
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** @returns undefined, and the exit code is set, for what can be no tag */
function checked({ name, revision, namespace }: Tag): Tag | undefined {
  const tag = checkTag({ name, revision, namespace });
  if (tag.ok) return tag.value;
  process.stderr.write(`gatehouse tag: ${tag.reason}\n`);
  process.exitCode = 2;
  return undefined;
}

function generate(wish: Tag): void {
  const tag = checked(wish);
  if (tag === undefined) return;
  const objects = tagObjects(tag).map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  process.stdout.write(objects.join('---\n'));
}

async function set(wish: Tag, flags: SetFlags): Promise<void> {
  const tag = checked(wish);
  if (tag === undefined) return;
  const { name, revision, namespace } = tag;
  await withCluster('tag', flags, async (client) => {
    const call = await callsOf(client, revision, namespace);
    const before = (await tagsOf(client, namespace)).find((one) => one.tag === name);
    if (before !== undefined && before.revision !== revision && flags.overwrite !== true)
      throw new Refused(`the tag ${name} stands for ${before.revision}: --overwrite moves it to ${revision}`);
    // A revision that is called as the tag: what names the one would be sent to the other as well.
    const namesake = { kind: 'MutatingWebhookConfiguration', name: `${clusterName({ revision: name, namespace })}-injector` };
    const hasNamesake = (await find(client, namesake)) !== undefined;
    if (hasNamesake && name !== DEFAULT_REVISION) throw new Refused(`there is a revision ${name}: give the tag another name`);
    for (const object of tagObjects(tag, call)) await apply(client, object);
    process.stdout.write(`The tag ${name} stands for revision ${revision}${was(before?.revision, revision)}.\n`);
    const named = before?.namespaces ?? [];
    if (named.length > 0 && before?.revision !== revision)
      process.stdout.write(
        `New pods of ${named.join(', ')} get its proxies; those that run keep theirs until they are restarted.\n`,
      );
    if (hasNamesake)
      process.stderr.write(
        `The revision default is installed as well. Where both get a pod, the tag has the last word: it gets the proxy of ${revision}.\n`,
      );
  });
}

function was(before: string | undefined, now: string): string {
  return before === undefined || before === now ? '' : ` (it was ${before})`;
}

async function listTags(flags: PlaceFlags & { readonly output: string }): Promise<void> {
  await withCluster('tag', flags, async (client) => {
    const tags = await tagsOf(client, flags.namespace);
    if (flags.output === 'json') process.stdout.write(`${JSON.stringify(tags, null, 2)}\n`);
    else if (tags.length === 0) process.stdout.write('There are no tags.\n');
    else
      process.stdout.write(
        plainTable(
          ['TAG', 'REVISION', 'NAMESPACES'],
          tags.map(({ tag, revision, namespaces }) => [tag, revision, namespaces.join(',')]),
        ),
      );
  });
}

async function removeTag(name: string, flags: PlaceFlags & { readonly skipConfirmation?: true }): Promise<void> {
  await withCluster('tag', flags, async (client) => {
    const found = (await tagsOf(client, flags.namespace)).find((one) => one.tag === name);
    if (found === undefined) throw new Refused(`there is no tag ${name}`);
    const { namespaces, revision } = found;
    if (namespaces.length > 0 && flags.skipConfirmation !== true)
      throw new Refused(
        `namespaces name it, and their new pods would have no proxy: ${namespaces.join(', ')} (label them otherwise, or --skip-confirmation)`,
      );
    for (const { kind, metadata } of tagObjects({ name, revision, namespace: flags.namespace }).toReversed())
      await remove(client, { kind, ...metadata });
    process.stdout.write(`The tag ${name} is gone; it stood for revision ${revision}.\n`);
  });
}
