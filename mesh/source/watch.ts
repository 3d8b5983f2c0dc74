import { type FSWatcher, watch } from 'node:fs';
import type { Logger } from 'pino';
import type { Written } from '../admit/written.ts';
import { type Diagnostic, formatDiagnostic } from '../model/diagnostic.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Change } from '../admit/change.ts';
import { type Folders, inodeOf } from './files.ts';
import { LiveMesh, type LiveOptions } from './live-mesh.ts';

export interface WatchOptions extends LiveOptions {
  readonly log: Logger;
  /** Called for every snapshot after the first, which `current` gives. */
  readonly onSnapshot?: (snapshot: Snapshot, changed: readonly Change[]) => void;
  /** Called with all that is wrong now, whenever that changes. */
  readonly onDiagnostics?: (diagnostics: readonly Diagnostic[]) => void;
  /** How often files are looked at even without an event: network file systems and some containers give none. */
  readonly pollMs?: number;
}

export interface WatchedMesh {
  current(): Snapshot;
  diagnostics(): readonly Diagnostic[];
  /** Everything in the files that has a kind and a name, admitted or not. */
  written(): readonly Written[];
  close(): void;
}

/** Changes that come together make one snapshot. */
const DEBOUNCE_MS = 20;
const POLL_MS = 3000;

/**
 * Reads files and keeps reading them as they change. A bad change leaves the last good version of each object in effect.
 * @throws Error when the mesh configuration cannot be used at the start: there is nothing to fall back to
 */
export async function watchMesh(options: WatchOptions): Promise<WatchedMesh> {
  const mesh = new LiveMesh(options);
  let told: readonly Diagnostic[] = [];
  const tell = (diagnostics: readonly Diagnostic[]): void => {
    if (JSON.stringify(diagnostics) === JSON.stringify(told)) return;
    told = diagnostics;
    options.onDiagnostics?.(diagnostics);
  };
  // At the start whatever is there is read, also what was written just now: there is nothing older to keep.
  const first = mesh.scan(Date.now(), 0);
  tell(first.diagnostics);
  if (first.snapshot === undefined)
    throw new Error(`the mesh configuration cannot be used:\n${first.diagnostics.map(formatDiagnostic).join('\n')}`);
  let current = first.snapshot;

  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const soon = (): void => {
    if (closed) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      rescan();
    }, DEBOUNCE_MS);
  };
  const folders = new FolderWatches(soon, options.log);
  const rescan = (): void => {
    const scan = mesh.scan(Date.now(), DEBOUNCE_MS);
    if (folders.refresh(scan.folders)) soon();
    tell(scan.diagnostics);
    if (scan.unsettled !== undefined) soon();
    if (scan.snapshot === undefined) return;
    current = scan.snapshot;
    options.onSnapshot?.(current, scan.changed);
  };
  folders.refresh(first.folders);
  const poll = setInterval(rescan, options.pollMs ?? POLL_MS);
  poll.unref();
  // What changed between the first look and the beginning of the watch.
  soon();
  return Promise.resolve({
    current: () => current,
    diagnostics: () => told,
    written: () => mesh.written(),
    close() {
      closed = true;
      clearTimeout(timer);
      clearInterval(poll);
      folders.close();
    },
  });
}

/**
 * One watch for each folder: the kernel tells of every entry that is written, made, removed or renamed in it. (Node's
 * own recursive watch follows files, and loses those that are replaced.)
 */
class FolderWatches {
  readonly #changed: () => void;
  readonly #log: Logger;
  readonly #entries = new Map<string, ReadonlySet<string> | undefined>();
  readonly #watchers = new Map<string, { readonly inode: string; readonly watcher: FSWatcher }>();

  constructor(changed: () => void, log: Logger) {
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
        if (entries === undefined || entry === null || entries.has(entry)) this.#changed();
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
