import { Command, Option } from 'commander';
import { type Change, type ChangeFlags, changeFolder, manifestsOf, refuse } from './input/change.ts';
import type { ManifestFolder } from './input/folder.ts';
import { kindNamed } from './input/kind-names.ts';
import { isClusterScoped } from '../mesh/model/gateway-api-kinds.ts';
import { diagnosticsOption, dirOption, filenameOption } from './input/options.ts';

interface DeleteFlags extends ChangeFlags {
  readonly ignoreNotFound?: boolean;
}

/** `gatehouse delete`: by file, or by kind and name. */
export function deleteCommand(): Command {
  return new Command('delete')
    .description('delete objects from a folder of configuration')
    .argument('[kind]', 'as virtualservice, vs or virtualservices.networking.istio.io')
    .argument('[names...]', 'names of the objects')
    .addOption(filenameOption())
    .addOption(dirOption())
    .option('-n, --namespace <name>', 'namespace of the objects (default: default)')
    .option('--ignore-not-found', 'do not mind objects that are not there')
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'print what was done as').choices(['json', 'name']))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse delete virtualservice reviews
  gatehouse delete vs reviews ratings -n shop
  gatehouse delete -f route.yaml`,
    )
    .action(async (word: string | undefined, names: readonly string[], flags: DeleteFlags) => {
      const keys = keysOf(word, names, flags);
      if (keys !== undefined)
        await changeFolder('delete', flags, (folder) => remove(folder, keys, flags.ignoreNotFound ?? false));
    });
}

function keysOf(word: string | undefined, names: readonly string[], flags: DeleteFlags): readonly string[] | undefined {
  if (flags.filename !== undefined) {
    if (word !== undefined) {
      refuse('delete', ['give either -f or a kind and names'], 2);
      return undefined;
    }
    return manifestsOf('delete', flags)?.map(({ key }) => key);
  }
  const kind = word === undefined ? undefined : kindNamed(word);
  if (kind === undefined || names.length === 0) {
    refuse(
      'delete',
      [
        word === undefined || kind !== undefined
          ? 'give a kind and a name, or -f'
          : `"${word}" is no kind (see gatehouse get --help)`,
      ],
      2,
    );
    return undefined;
  }
  return names.map((name) => (isClusterScoped(kind) ? `${kind} ${name}` : `${kind} ${flags.namespace ?? 'default'}/${name}`));
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
