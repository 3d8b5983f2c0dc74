import { Command, Option } from 'commander';
import { type Change, type ChangeFlags, changeFolder, manifestsOf, refuse } from './change.ts';
import { addPutFlags, clusterWish } from './cluster/flags.ts';
import type { PutClusterFlags } from './cluster/put.ts';
import type { ManifestFolder } from './folder.ts';
import type { Manifest } from './manifest.ts';
import { diagnosticsOption, dirOption, filenameOption } from './options.ts';

/** What the three commands that write objects differ in. */
export interface PutKind {
  readonly name: 'apply' | 'create' | 'replace';
  readonly description: string;
  readonly examples: string;
  /** Why an object cannot be written; undefined when it can. */
  readonly refusal: (manifest: Manifest, exists: boolean) => string | undefined;
  readonly outcome: (outcome: string) => string;
}

export function putCommand(kind: PutKind): Command {
  const command = new Command(kind.name);
  command
    .description(kind.description)
    .addOption(filenameOption().makeOptionMandatory())
    .addOption(dirOption())
    .option('-n, --namespace <name>', "namespace of objects that name none (default: default; in a cluster the context's)")
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'print what was done as').choices(['json', 'yaml', 'name']))
    .addHelpText(
      'after',
      `\n${kind.examples}\n\nInput that is wrong changes nothing (exit code 1). An object that is already in a file stays there.
In a cluster objects are sent one by one: what is refused there leaves the others (exit code 1).`,
    )
    .action(async (flags: ChangeFlags & PutClusterFlags) => {
      const wish = clusterWish(command, flags);
      if (!wish.ok) return refuse(kind.name, [wish.reason], 2);
      if (wish.value !== undefined) {
        const { putInCluster } = await import('./cluster/put.ts');
        return putInCluster(kind.name, wish.value, flags);
      }
      if (flags.output === 'yaml') return refuse(kind.name, ['-o yaml: only with --kubernetes'], 2);
      const manifests = manifestsOf(kind.name, flags);
      if (manifests !== undefined) await changeFolder(kind.name, flags, (folder) => put(folder, manifests, kind));
      return undefined;
    });
  addPutFlags(command);
  if (kind.name === 'apply') command.option('--force-conflicts', 'in a cluster: take over fields that others wrote');
  return command;
}

function put(folder: ManifestFolder, manifests: readonly Manifest[], kind: PutKind): Change {
  const reasons = manifests.flatMap((manifest) => kind.refusal(manifest, folder.get(manifest.key) !== undefined) ?? []);
  if (reasons.length > 0) return { ok: false, reasons };
  const changed = manifests.map((manifest) => {
    const outcome = kind.outcome(folder.put(manifest));
    return { manifest, outcome, file: folder.fileOf(manifest.key) };
  });
  return { ok: true, changed };
}
