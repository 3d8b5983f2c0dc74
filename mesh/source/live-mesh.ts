import type { Change } from '../admit/change.ts';
import { MeshStore, NO_GATEWAYS } from '../admit/store/mesh-store.ts';
import type { Written } from '../admit/written.ts';
import { type WrittenObjects, WrittenStore } from '../admit/written-objects.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { MeshConfig } from '../model/mesh-config.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { Claims } from './claims.ts';
import { DiagnosticsByFile } from './diagnostics-by-file.ts';
import type { FileContent } from './file-cache.ts';
import { addAbove, type Folders } from './files.ts';
import { InEffect } from './in-effect.ts';
import { loadMeshConfig, type LoadedMeshConfig } from './mesh-config.ts';
import { compareInFile, type ReadSection, writtenOf } from './sections.ts';
import { type Extent, WatchedFiles } from './watched-files.ts';

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
  /** The same list as before when nothing in it changed. */
  readonly diagnostics: readonly Diagnostic[];
  /** Folders in which the next change will show. */
  readonly folders: Folders;
  /** A file was being written: when to look again. */
  readonly unsettled: number | undefined;
  /** Files (absolute paths) that changed, and of which nobody had told. */
  readonly untold: readonly string[];
}

/** The state of watched files and what is in effect because of them. Reads when asked; who asks when is the watcher's business. */
export class LiveMesh {
  readonly #options: LiveOptions;
  readonly #namespace: string;
  readonly #files: WatchedFiles;
  readonly #claims = new Claims();
  readonly #inEffect = new InEffect();
  readonly #store: MeshStore;
  readonly #contents = new Map<string, FileContent>();
  readonly #unclear = new Set<string>();
  readonly #diagnostics = new DiagnosticsByFile();
  readonly #gateways = new Map<string, number>();
  #otherGateways = NO_GATEWAYS;
  #written: WrittenStore | undefined;
  /** Files that changed since what is written was asked for, as they were then. */
  readonly #rewritten = new Map<string, readonly ReadSection[]>();
  #config: LoadedMeshConfig | undefined;
  #meshConfig: MeshConfig | undefined;
  #snapshot: Snapshot | undefined;
  #folders: { readonly of: Folders; readonly all: Folders } | undefined;
  /** Of the mesh configuration and of paths that are not there, by file. */
  #loose: ReadonlyMap<string, readonly Diagnostic[]> = new Map();
  #checked: ReadonlyMap<string, readonly Diagnostic[]> = new Map();

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#namespace = options.defaultNamespace ?? 'default';
    this.#files = new WatchedFiles(options.paths);
    this.#store = new MeshStore({ assumePods: options.assumePods ?? false });
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Everything in the files that has a kind and a name, admitted or not, as of the last scan. Costs what changed since this was asked. */
  written(): WrittenObjects {
    const gone: Written[] = [];
    const come: Written[] = [];
    const into = (all: Written[], sections: Iterable<ReadSection>): void => {
      for (const section of sections) all.push(...writtenOf(section, this.#namespace));
    };
    if (this.#written === undefined) {
      this.#written = new WrittenStore(
        (one, other) => this.#files.rankOf(one.file) - this.#files.rankOf(other.file) || compareInFile(one, other),
      );
      for (const { sections } of this.#contents.values()) into(come, sections);
    } else {
      for (const [file, before] of this.#rewritten) {
        const replaced = replacedSections(before, this.#contents.get(file)?.sections ?? []);
        into(gone, replaced.gone);
        into(come, replaced.come);
      }
    }
    this.#rewritten.clear();
    this.#written.patch({ gone, come });
    return this.#written.objects();
  }

  /**
   * Looks at files and brings what is in effect up to date. Without a usable mesh configuration there is no first
   * snapshot: with guessed settings identities and policies would mean something else.
   */
  scan(now: number, settleMs: number, extent: Extent = 'all'): Scan {
    const { meshConfigFile } = this.#options;
    if (
      this.#config === undefined ||
      extent === 'all' ||
      extent.next !== undefined ||
      (meshConfigFile !== undefined && this.#files.isNamed(extent.entries, meshConfigFile))
    )
      this.#config = loadMeshConfig(meshConfigFile);
    const fresh = this.#adopt(this.#config.meshConfig);
    const meshConfig = this.#meshConfig;
    if (meshConfig === undefined)
      return {
        snapshot: undefined,
        changed: [],
        diagnostics: this.#config.diagnostics,
        folders: new Map(),
        unsettled: undefined,
        untold: [],
      };
    const looked = this.#files.look({ meshConfig, defaultNamespace: this.#namespace }, now, settleMs, fresh ? 'all' : extent);
    if (looked.reordered) {
      this.#claims.reordered();
      this.#written = undefined;
    }
    const files = new Set<string>();
    const keys = new Set<string>();
    for (const [file, content] of looked.changed) this.#replace(file, content, files, keys);
    for (const key of this.#claims.settle((file) => this.#files.rankOf(file), files)) keys.add(key);
    const { upserts, removed } = this.#inEffect.settle(keys, this.#claims, (file) => this.#unclear.has(file), fresh, files);
    const { snapshot, changed, diagnostics } = this.#store.apply({
      upserts,
      removed,
      meshConfig,
      otherGateways: this.#otherGateways,
    });
    this.#tell([...this.#config.diagnostics, ...looked.missing], diagnostics, files);
    const differs = snapshot !== this.#snapshot;
    this.#snapshot = snapshot;
    return {
      snapshot: differs ? snapshot : undefined,
      changed,
      diagnostics: this.#diagnostics.all,
      folders: this.#withConfig(looked.folders),
      unsettled: looked.unsettled,
      untold: looked.untold,
    };
  }

  /** @param content undefined when the file is gone */
  #replace(file: string, content: FileContent | undefined, files: Set<string>, keys: Set<string>): void {
    const before = this.#contents.get(file);
    files.add(file);
    if (!this.#rewritten.has(file)) this.#rewritten.set(file, before?.sections ?? []);
    const { gone, come } = replacedSections(before?.sections ?? [], content?.sections ?? []);
    for (const section of gone) {
      this.#claims.remove(section);
      this.#countGateways(section, -1);
    }
    for (const section of come) {
      this.#claims.add(section);
      this.#countGateways(section, 1);
    }
    for (const key of this.#inEffect.keptIn(file)) keys.add(key);
    if (content === undefined) this.#contents.delete(file);
    else this.#contents.set(file, content);
    if (content !== undefined && isUnclear(content)) this.#unclear.add(file);
    else this.#unclear.delete(file);
  }

  #countGateways({ gateways }: ReadSection, by: number): void {
    for (const name of gateways) {
      const before = this.#gateways.get(name) ?? 0;
      if (before + by === 0) this.#gateways.delete(name);
      else this.#gateways.set(name, before + by);
      if (before === 0 || before + by === 0) this.#otherGateways = new Set(this.#gateways.keys());
    }
  }

  #tell(loose: readonly Diagnostic[], checked: ReadonlyMap<string, readonly Diagnostic[]>, files: Set<string>): void {
    const byFile = Map.groupBy(loose, ({ file }) => file);
    for (const file of [...this.#loose.keys(), ...byFile.keys()]) files.add(file);
    this.#loose = byFile;
    if (checked !== this.#checked) {
      for (const [file, found] of checked) if (this.#checked.get(file) !== found) files.add(file);
      for (const file of this.#checked.keys()) if (!checked.has(file)) files.add(file);
      this.#checked = checked;
    }
    for (const file of files) {
      const content = this.#contents.get(file);
      this.#diagnostics.set(file, [
        ...(byFile.get(file) ?? []),
        ...(content?.diagnostics ?? []),
        ...(content?.wrong ?? []).flatMap(({ diagnostics }) => diagnostics),
        ...this.#inEffect.lastGoodIn(file),
        ...this.#claims.duplicatesIn(file),
        ...(checked.get(file) ?? []),
      ]);
    }
  }

  #withConfig(folders: Folders): Folders {
    const { meshConfigFile } = this.#options;
    if (meshConfigFile === undefined) return folders;
    if (this.#folders?.of === folders) return this.#folders.all;
    const all = new Map(folders);
    addAbove(all, meshConfigFile);
    this.#folders = { of: folders, all };
    return all;
  }

  /**
   * A mesh configuration that cannot be read leaves the last one in effect; an equal one is no change.
   * @returns true when objects that read the same may mean something else
   */
  #adopt(next: MeshConfig | undefined): boolean {
    if (next === undefined || JSON.stringify(next) === JSON.stringify(this.#meshConfig)) return false;
    this.#meshConfig = next;
    this.#files.forget();
    return true;
  }
}

/** An object that was in such a file may still be there, although it is not seen. */
function isUnclear({ unreadable, wrong }: FileContent): boolean {
  return unreadable || wrong.some(({ obscured, refused }) => obscured || refused.some(({ key }) => key === undefined));
}

/** Sections that are no longer there and those that are new, of which most stand between others that stayed. */
function replacedSections(
  before: readonly ReadSection[],
  after: readonly ReadSection[],
): { readonly gone: ReadonlySet<ReadSection>; readonly come: ReadonlySet<ReadSection> } {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const gone = new Set(before.slice(head, before.length - tail));
  const come = new Set(after.slice(head, after.length - tail));
  for (const section of gone) if (come.delete(section)) gone.delete(section);
  return { gone, come };
}
