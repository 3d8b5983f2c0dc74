import type { Admitted } from '../admit/mesh-object.ts';
import { buildFrom, sameSnapshot, withoutDuplicates } from '../admit/snapshot.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { MeshConfig } from '../model/mesh-config.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { type Change, changesBetween } from './changes.ts';
import { type FileContent, WatchedFile } from './file-cache.ts';
import { addAbove, type Folders, listFiles } from './files.ts';
import { withLastGood } from './last-good.ts';
import { unreadable } from './load.ts';
import { sameContent } from '../admit/node.ts';
import { loadMeshConfig } from './mesh-config.ts';
import { sorted } from './mesh.ts';
import { gatewaysIn, type Written, writtenIn } from '../admit/written.ts';

export interface LiveOptions {
  readonly paths: readonly string[];
  readonly meshConfigFile?: string | undefined;
  readonly defaultNamespace?: string | undefined;
  readonly assumePods?: boolean | undefined;
}

export interface Scan {
  /** Undefined when nothing that is in effect changed. */
  readonly snapshot: Snapshot | undefined;
  readonly changed: readonly Change[];
  readonly diagnostics: readonly Diagnostic[];
  /** Folders in which the next change will show. */
  readonly folders: Folders;
  /** A file was being written: look again soon. */
  readonly unsettled: boolean;
}

/** The state of watched files and what is in effect because of them. Reads when asked; who asks when is the watcher's business. */
export class LiveMesh {
  readonly #options: LiveOptions;
  readonly #files = new Map<string, WatchedFile>();
  #meshConfig: MeshConfig | undefined;
  #objects: ReadonlyMap<string, Admitted> = new Map();
  #snapshot: Snapshot | undefined;
  #contents: ReadonlyMap<string, FileContent> = new Map();
  /** The mesh configuration changed: objects that read the same may mean something else. */
  #fresh = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Everything in the files that has a kind and a name, admitted or not, as of the last scan. */
  written(): readonly Written[] {
    const namespace = this.#options.defaultNamespace ?? 'default';
    return [...this.#contents.values()].flatMap(({ documents }) => writtenIn(documents, namespace));
  }

  /**
   * Looks at every file and brings what is in effect up to date. Without a usable mesh configuration there is no first
   * snapshot: with guessed settings identities and policies would mean something else.
   */
  scan(now: number, settleMs: number): Scan {
    const config = loadMeshConfig(this.#options.meshConfigFile);
    const meshConfig = this.#adopt(config.meshConfig);
    if (meshConfig === undefined)
      return { snapshot: undefined, changed: [], diagnostics: config.diagnostics, folders: new Map(), unsettled: false };
    const { contents, diagnostics, folders, unsettled } = this.#look(meshConfig, now, settleMs);
    this.#contents = contents;
    const merged = withLastGood(contents, this.#objects);
    const unique = withoutDuplicates(merged.objects);
    const objects = new Map(unique.objects.map((object) => [object.key, this.#asBefore(object)]));
    const before = this.#snapshot;
    const built = buildFrom([...objects.values()], meshConfig, (before?.number ?? 0) + 1, before, {
      assumePods: this.#options.assumePods ?? false,
      otherGateways: [...contents.values()].flatMap((content) => this.#gatewaysOf(content)),
    });
    const changed = changesBetween(this.#objects, objects);
    this.#objects = objects;
    this.#fresh = false;
    const differs = before === undefined || !sameSnapshot(before, built.snapshot);
    if (differs) this.#snapshot = built.snapshot;
    return {
      snapshot: differs ? built.snapshot : undefined,
      changed,
      diagnostics: sorted([
        ...config.diagnostics,
        ...diagnostics,
        ...merged.diagnostics,
        ...unique.diagnostics,
        ...built.diagnostics,
      ]),
      folders: this.#withConfig(folders),
      unsettled,
    };
  }

  readonly #gateways = new WeakMap<FileContent, readonly string[]>();

  #gatewaysOf(content: FileContent): readonly string[] {
    const known = this.#gateways.get(content);
    if (known !== undefined) return known;
    const found = gatewaysIn(writtenIn(content.documents, this.#options.defaultNamespace ?? 'default'));
    this.#gateways.set(content, found);
    return found;
  }

  #withConfig(folders: Folders): Folders {
    const { meshConfigFile } = this.#options;
    if (meshConfigFile === undefined) return folders;
    const all = new Map(folders);
    addAbove(all, meshConfigFile);
    return all;
  }

  /** An object that was written again, or only moved, keeps its identity, so that nothing is compiled anew. */
  #asBefore(next: Admitted): Admitted {
    const last = this.#objects.get(next.key);
    if (this.#fresh || last === undefined || last.object === next.object || last.file !== next.file) return next;
    return sameContent(last.node, next.node) ? { ...next, object: last.object } : next;
  }

  /** A mesh configuration that cannot be read leaves the last one in effect; an equal one is no change. */
  #adopt(next: MeshConfig | undefined): MeshConfig | undefined {
    if (next !== undefined && JSON.stringify(next) !== JSON.stringify(this.#meshConfig)) {
      this.#meshConfig = next;
      this.#fresh = true;
      for (const file of this.#files.values()) file.forget();
    }
    return this.#meshConfig;
  }

  #look(
    meshConfig: MeshConfig,
    now: number,
    settleMs: number,
  ): { contents: ReadonlyMap<string, FileContent>; diagnostics: readonly Diagnostic[]; folders: Folders; unsettled: boolean } {
    const { files, missing, folders } = listFiles(this.#options.paths);
    const diagnostics: Diagnostic[] = missing.map(({ path, reason }) => ({
      ...unreadable(path, reason, 'it is read as soon as it is there'),
      severity: 'warning',
    }));
    const contents = new Map<string, FileContent>();
    let unsettled = false;
    const readOptions = { meshConfig, defaultNamespace: this.#options.defaultNamespace ?? 'default' };
    for (const path of files) {
      const file = this.#files.get(path) ?? new WatchedFile(path);
      this.#files.set(path, file);
      const look = file.look(readOptions, now, settleMs);
      if (look.kind === 'gone') continue;
      if (look.kind === 'unsettled') unsettled = true;
      if (look.content === undefined) continue;
      contents.set(path, look.content);
      diagnostics.push(...look.content.diagnostics);
    }
    const present = new Set(files);
    for (const path of this.#files.keys()) if (!present.has(path)) this.#files.delete(path);
    return { contents, diagnostics, folders, unsettled };
  }
}
