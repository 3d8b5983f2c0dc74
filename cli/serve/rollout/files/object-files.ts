import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { syncFolder } from '../../../../ca/root/atomic.ts';
import type { ForeignPolicy, RolloutObject, RolloutObjects } from '../../../../policy/rollout/ports.ts';
import { isNamespaceName } from '../../../../policy/rollout/record.ts';
import { Conflict, ManifestFolder } from '../../../input/folder.ts';
import { withLock } from '../../../input/lock.ts';
import { isRecord } from '../../../input/manifest.ts';
import { adviceOn, reasonOf } from './state-files.ts';

/** Longer than the mesh waits for a file that is being written, so that one that is whole is read at once. */
const COMPLETE_MS = 50;
const LOCK_WAIT_MS = 3_000;
const ATTEMPTS = 3;
const DRY_RUN = 'istio.io/dry-run';

export function objectsFileName(namespace: string): string {
  return `rollout-${namespace}.yaml`;
}

/** The first folder of `-f`; undefined where only files were given. */
export function folderFor(paths: readonly string[]): string | undefined {
  return paths.find((path) => path !== '-' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
}

export const named = ({ kind, metadata }: Pick<RolloutObject, 'kind' | 'metadata'>): string =>
  `${kind} ${metadata.namespace}/${metadata.name}`;

/** Objects as the file of a folder, and as `plan -o yaml` prints them. */
export function objectsText(objects: readonly object[], heading: string): string {
  const documents = objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  return `${heading}${documents.map((text) => `---\n${text}`).join('')}`;
}

/** Equal but for the order of fields. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, canonical(inner)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(canonical(one)) === JSON.stringify(canonical(other));

interface Written {
  readonly name: string;
  readonly value: unknown;
}

/** Objects of a file by their names; a file that is no YAML has none that is right. */
function writtenIn(text: string): readonly Written[] {
  return parseAllDocuments(text).flatMap((document): readonly Written[] => {
    const value: unknown = document.errors.length > 0 ? undefined : document.toJS();
    if (!isRecord(value) || !isRecord(value['metadata'])) return [];
    const { namespace, name } = value['metadata'];
    return [{ name: `${String(value['kind'])} ${String(namespace)}/${String(name)}`, value }];
  });
}

/**
 * The objects of each rollout as one file in a folder of the mesh: a change of stage is one rename, so that no proxy is ever told of half a
 * stage. Policies of others are changed where they are.
 * @param paths those of `-f`, whose first folder is written
 */
export function objectFiles(paths: readonly string[]): RolloutObjects {
  const fileOf = (namespace: string): string => {
    const folder = folderFor(paths);
    if (folder === undefined)
      throw new Error(
        'a rollout writes its objects into the first folder of -f, and there is none (give a folder, not only files)',
      );
    if (!isNamespaceName(namespace)) throw new Error(`${namespace} is no name of a namespace`);
    return join(folder, objectsFileName(namespace));
  };
  return {
    async write(rollout, namespace, objects) {
      const path = fileOf(namespace);
      try {
        if (objects.length === 0) {
          await rm(path, { force: true });
          await syncFolder(dirname(path));
          return;
        }
        const heading = `# Written by the NamespaceRollout ${namespace}/${rollout}: changes made here by hand are undone. See: gatehouse rollout status ${namespace}\n`;
        const text = objectsText(objects, heading);
        if ((await readFile(path, 'utf8').catch(() => undefined)) !== text) await replace(path, text);
      } catch (error) {
        throw new Error(`${path} cannot be written (${reasonOf(error)}); ${adviceOn(error)}`, { cause: error });
      }
    },
    async drift(_, namespace, objects) {
      const text = await readFile(fileOf(namespace), 'utf8').catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
        throw error;
      });
      const there = writtenIn(text);
      const wanted = new Map(objects.map((object) => [named(object), object]));
      return [
        ...objects.flatMap((object) => {
          const found = there.filter(({ name }) => name === named(object));
          return found.length === 1 && same(found[0]?.value, object) ? [] : [named(object)];
        }),
        ...there.flatMap(({ name }) => (wanted.has(name) ? [] : [name])),
      ];
    },
    setDryRun: (policies) => dryRunInFolders(paths, policies),
  };
}

/** A dotfile is read by nobody, so half a file is never seen. */
async function replace(path: string, text: string): Promise<void> {
  const draft = join(dirname(path), `.${objectsFileName('')}${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(draft, 'wx', 0o644);
    try {
      await file.writeFile(text);
      const written = (Date.now() - COMPLETE_MS) / 1000;
      await file.utimes(written, written);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

interface NotSet {
  readonly policy: ForeignPolicy;
  readonly reason: string;
}

async function dryRunInFolders(paths: readonly string[], policies: readonly ForeignPolicy[]): Promise<readonly NotSet[]> {
  let left = policies;
  const reasons = new Map<ForeignPolicy, string>();
  for (const folder of paths.filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)) {
    const set = await dryRunIn(folder, left).catch((error: unknown): readonly ForeignPolicy[] => {
      for (const policy of left) reasons.set(policy, `${folder} cannot be changed (${reasonOf(error)})`);
      return [];
    });
    left = left.filter((policy) => !set.includes(policy));
  }
  return left.map((policy) => ({ policy, reason: reasons.get(policy) ?? 'it is in no folder of -f that can be changed' }));
}

/** Those that are in this folder, and are now dry-run. */
async function dryRunIn(folder: string, policies: readonly ForeignPolicy[]): Promise<readonly ForeignPolicy[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const done = await withLock(folder, LOCK_WAIT_MS, () => {
        const manifests = new ManifestFolder(folder);
        const set = policies.filter(({ namespace, name }) => {
          const found = manifests.get(`AuthorizationPolicy ${namespace}/${name}`);
          if (found === undefined) return false;
          const metadata = isRecord(found.value['metadata']) ? found.value['metadata'] : {};
          const annotations = isRecord(metadata['annotations']) ? metadata['annotations'] : {};
          const changed = { ...metadata, annotations: { ...annotations, [DRY_RUN]: 'true' } };
          manifests.put({ ...found, value: { ...found.value, metadata: changed } });
          return true;
        });
        if (set.length > 0) manifests.commit();
        return set;
      });
      if (done === undefined) throw new Error('it is being changed by a command');
      return done.value;
    } catch (error) {
      if (!(error instanceof Conflict) || attempt >= ATTEMPTS) throw error;
    }
  }
}
