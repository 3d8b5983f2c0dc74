import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Folders, inodeOf } from './files.ts';

/**
 * One watch for each folder: the kernel tells of every entry that is written, made, removed or renamed in it. (Node's
 * own recursive watch follows files, and loses those that are replaced.)
 */
export class FolderWatches {
  readonly #changed: (path: string | undefined) => void;
  readonly #log: Logger;
  readonly #entries = new Map<string, ReadonlySet<string> | undefined>();
  readonly #watchers = new Map<string, { readonly inode: string; readonly watcher: FSWatcher }>();

  /** @param changed called with the path of an entry, or undefined where the kernel does not say which */
  constructor(changed: (path: string | undefined) => void, log: Logger) {
    this.#changed = changed;
    this.#log = log;
  }

  /** @returns true when a folder is watched that was not before: what came into it meanwhile must be looked for */
  refresh(wanted: Folders): boolean {
    for (const [folder, { watcher }] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
      this.#entries.delete(folder);
    }
    let fresh = false;
    for (const [folder, entries] of wanted) {
      this.#entries.set(folder, entries);
      const inode = inodeOf(folder);
      const known = this.#watchers.get(folder);
      if (known?.inode === inode) continue;
      known?.watcher.close();
      this.#watchers.delete(folder);
      if (this.#watch(folder, inode)) fresh = true;
    }
    return fresh;
  }

  #watch(folder: string, inode: string): boolean {
    try {
      const watcher = watch(folder, (_, entry) => {
        const entries = this.#entries.get(folder);
        if (entry === null) this.#changed(undefined);
        else if (entries === undefined || entries.has(entry)) this.#changed(join(folder, entry));
      });
      watcher.on('error', (cause) => {
        this.#log.debug({ err: cause, folder }, 'a watch ended; polling goes on');
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, { inode, watcher });
      return true;
    } catch (cause) {
      this.#log.debug({ err: cause, folder }, 'cannot watch; polling goes on');
      return false;
    }
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}
