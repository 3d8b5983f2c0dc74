import { hasErrors, printDiagnostics } from './print-diagnostics.ts';
import { Conflict, ManifestFolder } from './folder.ts';
import { resourceOf } from './kind-names.ts';
import { withLock } from './lock.ts';
import { type Manifest, readManifests } from './manifest.ts';
import type { DiagnosticsFormat } from './options.ts';

export interface ChangeFlags {
  readonly filename?: readonly string[];
  readonly dir: string;
  readonly namespace?: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly output?: 'json' | 'yaml' | 'name';
}

export interface Changed {
  readonly manifest: Pick<Manifest, 'kind' | 'apiVersion' | 'namespace' | 'name'>;
  readonly outcome: string;
  readonly file: string | undefined;
}

/** What is done to the folder, or why it is not done. */
export type Change =
  { readonly ok: true; readonly changed: readonly Changed[] } | { readonly ok: false; readonly reasons: readonly string[] };

const PATH_SAFE = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const LOCK_WAIT_MS = 10_000;
const ATTEMPTS = 5;

export function refuse(command: string, reasons: readonly string[], code: 1 | 2 = 1): void {
  for (const reason of reasons) process.stderr.write(`gatehouse ${command}: ${reason}\n`);
  process.exitCode = code;
}

/** Reads the objects to be changed; undefined when one is wrong, which is then said. */
export function manifestsOf(command: string, flags: ChangeFlags): readonly Manifest[] | undefined {
  const { manifests, diagnostics } = readManifests(flags.filename ?? [], flags.namespace ?? 'default');
  printDiagnostics(diagnostics, flags.diagnostics);
  if (hasErrors(diagnostics)) {
    refuse(command, ['the input is wrong; nothing was changed']);
    return undefined;
  }
  if (manifests.length === 0) {
    refuse(command, ['the input holds no object']);
    return undefined;
  }
  // Names become paths; those of kinds that are only stored were checked by nobody yet.
  const odd = manifests.filter(
    ({ name, namespace }) => !PATH_SAFE.test(name) || (namespace !== '' && !PATH_SAFE.test(namespace)),
  );
  if (odd.length > 0) {
    refuse(
      command,
      odd.map(({ key }) => `${key} has a name that Kubernetes would not take; nothing was changed`),
    );
    return undefined;
  }
  const foreign = foreignTo(flags.namespace, manifests);
  if (foreign.length > 0) {
    refuse(command, foreign);
    return undefined;
  }
  return manifests;
}

/** Objects of another namespace than that of `-n`, as reasons to refuse them. */
export function foreignTo(wanted: string | undefined, manifests: readonly Manifest[]): readonly string[] {
  return manifests
    .filter(({ namespace }) => wanted !== undefined && namespace !== '' && namespace !== wanted)
    .map(
      ({ key, namespace }) =>
        `${key} is of namespace ${namespace}, not ${wanted ?? ''}; nothing was changed (use -n ${namespace}, or leave -n out)`,
    );
}

/** Does `work` on the folder under its lock, writes it, and prints what happened. A change by another program meanwhile has it done anew. */
export async function changeFolder(command: string, flags: ChangeFlags, work: (folder: ManifestFolder) => Change): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const done = await withLock(flags.dir, LOCK_WAIT_MS, () => {
        const folder = new ManifestFolder(flags.dir);
        const change = work(folder);
        if (change.ok) folder.commit();
        return change;
      });
      if (done === undefined) return refuse(command, [`${flags.dir} is being changed by another command; try again`]);
      if (done.value.ok) return printChanges(done.value.changed, flags);
      return refuse(command, [...done.value.reasons, 'nothing was changed']);
    } catch (cause) {
      if (cause instanceof Conflict && attempt < ATTEMPTS) continue;
      return refuse(command, [
        cause instanceof Conflict
          ? `${cause.message} keeps being changed by another program; try again`
          : `cannot change ${flags.dir}: ${cause instanceof Error ? cause.message : String(cause)}`,
      ]);
    }
  }
}

function printChanges(changed: readonly Changed[], flags: ChangeFlags): void {
  const names = changed.map(({ manifest }) => `${resourceOf(manifest.kind, manifest.apiVersion)}/${manifest.name}`);
  if (flags.output === 'json') {
    const rows = changed.map(({ manifest, outcome, file }) => ({
      kind: manifest.kind,
      namespace: manifest.namespace,
      name: manifest.name,
      outcome,
      file: file ?? null,
    }));
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  for (const [at, { outcome }] of changed.entries())
    process.stdout.write(flags.output === 'name' ? `${names[at] ?? ''}\n` : `${names[at] ?? ''} ${outcome}\n`);
}
