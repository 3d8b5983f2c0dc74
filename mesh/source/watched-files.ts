import { lstatSync } from 'node:fs';
import { basename, resolve, sep } from 'node:path';
import type { ReadOptions } from '../admit/read-object.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { type FileContent, WatchedFile } from './file-cache.ts';
import { FileRanks } from './file-ranks.ts';
import { asFound, type Found, listFiles } from './files.ts';
import { isListed, KeptEntries } from './folder-entries.ts';
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
  /** Files (absolute paths) that changed, and of which nobody had told. */
  readonly untold: readonly string[];
}

/** What to look at. */
export type Extent =
  | 'all'
  | {
      /** Of watched folders, absolute paths: they may have changed. */
      readonly entries: ReadonlySet<string>;
      /** Of what nobody told of: whatever came or went, and what so many files say, the next ones of all. Undefined: nothing. */
      readonly next?: number | undefined;
    };

/** All files below the paths. Only those are looked at that may have changed; all of them when nobody knows. */
export class WatchedFiles {
  readonly #paths: readonly string[];
  readonly #files = new Map<string, WatchedFile>();
  readonly #contents = new Map<string, FileContent>();
  /** Files by the path that the file system tells of. */
  readonly #resolved = new Map<string, readonly string[]>();
  readonly #ranks = new FileRanks();
  #found: Found | undefined;
  /** Files that were being written when they were last looked at. */
  readonly #open = new Set<string>();
  readonly #entries = new KeptEntries();
  /** Of a round through all files: how far it is. */
  #next = 0;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  rankOf(file: string): number {
    return this.#ranks.of(file);
  }

  isNamed(entries: ReadonlySet<string>, file: string): boolean {
    return entries.has(resolve(file));
  }

  /** Has everything read again. */
  forget(): void {
    for (const file of this.#files.values()) file.forget();
  }

  look(options: ReadOptions, now: number, settleMs: number, extent: Extent): Looked {
    const before = this.#found;
    let all = extent === 'all' || before === undefined;
    const open = new Set(this.#open);
    const next = extent === 'all' ? undefined : extent.next;
    let list = next !== undefined;
    for (const entry of extent === 'all' ? [] : extent.entries) {
      const files = this.#resolved.get(entry);
      if (files !== undefined) for (const file of files) open.add(file);
      else {
        const kind = this.#kindOf(entry);
        if (kind === 'any') all = true;
        else if (kind === 'folder') this.#openBelow(entry, open);
        list ||= kind !== 'nothing';
      }
    }
    const told = all || next === undefined ? undefined : new Set(open);
    let reordered = false;
    const changed = new Map<string, FileContent | undefined>();
    let found = before;
    if (found === undefined || all || list) {
      if (all) this.#entries.forget();
      found = asFound(before, listFiles(this.#paths, this.#entries.of));
      if (found !== before) reordered = this.#adopt(found, open, changed);
    }
    if (next !== undefined) this.#openNext(found.files, next, open);
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
      if (look.kind === 'gone' && found === before) found = this.#without(path, found, changed);
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
    const untold = told === undefined ? [] : [...changed.keys()].filter((file) => !told.has(file)).map((file) => resolve(file));
    return { changed, missing, folders: found.folders, reordered, unsettled, untold };
  }

  /** Files of a folder that was put there: others may have stood under their names. */
  #openBelow(folder: string, open: Set<string>): void {
    for (const [path, files] of this.#resolved) if (path.startsWith(`${folder}${sep}`)) for (const file of files) open.add(file);
  }

  /** From where the last round ended; when it has been through all, folders too are read again whatever their time stamps say. */
  #openNext(files: readonly string[], count: number, open: Set<string>): void {
    for (const file of files.slice(this.#next, this.#next + count)) open.add(file);
    this.#next += count;
    if (this.#next < files.length) return;
    this.#next = 0;
    this.#entries.forget();
  }

  /** What an entry that is no known file may mean: nothing, one more file or folder, or that everything must be looked at. */
  #kindOf(entry: string): 'nothing' | 'new' | 'folder' | 'any' {
    const stat = lstatSync(entry, { throwIfNoEntry: false });
    if (stat === undefined) return this.#found?.folders.has(entry) === true ? 'new' : 'nothing';
    if (stat.isFile())
      return isListed(basename(entry)) || this.#paths.some((path) => resolve(path) === entry) ? 'new' : 'nothing';
    // A mounted ConfigMap changes by its link `..data`.
    if (stat.isSymbolicLink()) return 'any';
    return stat.isDirectory() && !basename(entry).startsWith('.') ? 'folder' : 'nothing';
  }

  /** A file that is gone from a folder; a path that was given is found missing instead. */
  #without(path: string, found: Found, changed: Map<string, FileContent | undefined>): Found {
    if (this.#paths.includes(path)) return (this.#found = listFiles(this.#paths, this.#entries.of));
    const next = { ...found, files: found.files.filter((file) => file !== path) };
    this.#adopt(next, new Set(), changed);
    return next;
  }

  /** @returns true when files that were there before stand in another order */
  #adopt(found: Found, open: Set<string>, changed: Map<string, FileContent | undefined>): boolean {
    const { gone, come, reordered } = this.#ranks.adopt(found.files);
    for (const file of gone) {
      this.#name(file, (names) => names.filter((one) => one !== file));
      this.#files.delete(file);
      this.#open.delete(file);
      open.delete(file);
      if (this.#contents.delete(file)) changed.set(file, undefined);
    }
    for (const file of come) {
      this.#name(file, (names) => [...names, file]);
      this.#files.set(file, new WatchedFile(file));
      open.add(file);
    }
    this.#found = found;
    return reordered;
  }

  #name(file: string, change: (names: readonly string[]) => readonly string[]): void {
    const path = resolve(file);
    const names = change(this.#resolved.get(path) ?? []);
    if (names.length === 0) this.#resolved.delete(path);
    else this.#resolved.set(path, names);
  }
}
