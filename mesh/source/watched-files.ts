import { lstatSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { ReadOptions } from '../admit/read-object.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { type FileContent, WatchedFile } from './file-cache.ts';
import { type Found, isListed, listFiles } from './files.ts';
import { unreadable } from './load.ts';

export interface Looked {
  /** What files say that say something else than before; undefined where a file is gone. */
  readonly changed: ReadonlyMap<string, FileContent | undefined>;
  readonly missing: readonly Diagnostic[];
  readonly folders: Found['folders'];
  /** Files may stand in another order than before. */
  readonly reordered: boolean;
  /** When to look again, because a file was being written. */
  readonly unsettled: number | undefined;
}

/** All files below the paths. Only those are looked at that may have changed; all of them when nobody knows. */
export class WatchedFiles {
  readonly #paths: readonly string[];
  readonly #files = new Map<string, WatchedFile>();
  readonly #contents = new Map<string, FileContent>();
  /** Files by the path that the file system tells of. */
  #resolved: ReadonlyMap<string, readonly string[]> = new Map();
  #ranks: ReadonlyMap<string, number> = new Map();
  #found: Found | undefined;
  /** Files that were being written when they were last looked at. */
  readonly #open = new Set<string>();

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** In the order in which objects count. */
  get listed(): readonly string[] {
    return this.#found?.files ?? [];
  }

  rankOf(file: string): number {
    return this.#ranks.get(file) ?? 0;
  }

  isNamed(entries: ReadonlySet<string>, file: string): boolean {
    return entries.has(resolve(file));
  }

  /** Has everything read again. */
  forget(): void {
    for (const file of this.#files.values()) file.forget();
  }

  /** @param only absolute paths of entries that may have changed; undefined: all have to be looked at */
  look(options: ReadOptions, now: number, settleMs: number, only: ReadonlySet<string> | undefined): Looked {
    const before = this.#found;
    let all = only === undefined || before === undefined;
    const open = new Set(this.#open);
    let isNew = false;
    for (const entry of only ?? []) {
      const files = this.#resolved.get(entry);
      if (files !== undefined) for (const file of files) open.add(file);
      else {
        const kind = this.#kindOf(entry);
        if (kind === 'any') all = true;
        else if (kind === 'new') isNew = true;
      }
    }
    let reordered = false;
    const changed = new Map<string, FileContent | undefined>();
    let found = before;
    if (found === undefined || all || isNew) {
      found = listFiles(this.#paths);
      reordered = this.#adopt(found, open, changed);
    }
    let unsettled: number | undefined;
    for (const path of all ? found.files : open) {
      const file = this.#files.get(path);
      const look = file?.look(options, now, settleMs) ?? { kind: 'gone' };
      this.#open.delete(path);
      if (look.kind === 'unsettled') {
        unsettled = Math.max(unsettled ?? 0, look.until);
        this.#open.add(path);
        // Forgotten, and not to be read yet: what it said before stays.
        if (look.content === undefined) continue;
      }
      if (look.kind === 'gone' && found === before) found = this.#without(path, found);
      const content = look.kind === 'gone' ? undefined : look.content;
      if (content === this.#contents.get(path)) continue;
      changed.set(path, content);
      if (content === undefined) this.#contents.delete(path);
      else this.#contents.set(path, content);
    }
    const missing = found.missing.map(({ path, reason }): Diagnostic => ({
      ...unreadable(path, reason, 'it is read as soon as it is there'),
      severity: 'warning',
    }));
    return { changed, missing, folders: found.folders, reordered, unsettled };
  }

  /** What an entry that is no known file may mean: nothing, one more file, or that everything must be looked at. */
  #kindOf(entry: string): 'nothing' | 'new' | 'any' {
    const stat = lstatSync(entry, { throwIfNoEntry: false });
    if (stat === undefined) return this.#found?.folders.has(entry) === true ? 'any' : 'nothing';
    if (stat.isFile())
      return isListed(basename(entry)) || this.#paths.some((path) => resolve(path) === entry) ? 'new' : 'nothing';
    // A mounted ConfigMap changes by its link `..data`.
    if (stat.isSymbolicLink()) return 'any';
    return stat.isDirectory() && !basename(entry).startsWith('.') ? 'any' : 'nothing';
  }

  /** A file that is gone from a folder; a path that was given is found missing instead. */
  #without(path: string, found: Found): Found {
    if (this.#paths.includes(path)) return (this.#found = listFiles(this.#paths));
    this.#files.delete(path);
    const ranks = new Map(this.#ranks);
    ranks.delete(path);
    const resolved = new Map(this.#resolved);
    resolved.delete(resolve(path));
    this.#ranks = ranks;
    this.#resolved = resolved;
    return (this.#found = { ...found, files: found.files.filter((file) => file !== path) });
  }

  /** @returns true when files that were there before stand in another order */
  #adopt(found: Found, open: Set<string>, changed: Map<string, FileContent | undefined>): boolean {
    let last = -1;
    let reordered = false;
    const ranks = new Map<string, number>();
    const resolved = new Map<string, string[]>();
    for (const [rank, file] of found.files.entries()) {
      ranks.set(file, rank);
      const path = resolve(file);
      const same = resolved.get(path);
      if (same === undefined) resolved.set(path, [file]);
      else same.push(file);
      const before = this.#ranks.get(file);
      if (before === undefined) {
        this.#files.set(file, new WatchedFile(file));
        open.add(file);
        continue;
      }
      if (before < last) reordered = true;
      last = before;
    }
    for (const file of this.#ranks.keys()) {
      if (ranks.has(file)) continue;
      this.#files.delete(file);
      this.#open.delete(file);
      open.delete(file);
      if (this.#contents.delete(file)) changed.set(file, undefined);
    }
    this.#ranks = ranks;
    this.#resolved = resolved;
    this.#found = found;
    return reordered;
  }
}
