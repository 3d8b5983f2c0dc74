import { type FSWatcher, watch } from 'node:fs';
import type { Logger } from 'pino';
import { type Diagnostic, formatDiagnostic } from '../model/diagnostic.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Change } from './changes.ts';
import { inodeOf, watchable } from './files.ts';
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
    const known = new Set(told.map(formatDiagnostic));
    told = diagnostics;
    for (const found of diagnostics)
      if (!known.has(formatDiagnostic(found))) options.log[LEVELS[found.severity]]({ code: found.code }, formatDiagnostic(found));
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
  const folders = new Folders(
    [...options.paths, ...(options.meshConfigFile === undefined ? [] : [options.meshConfigFile])],
    soon,
    options.log,
  );
  const rescan = (): void => {
    folders.refresh();
    const scan = mesh.scan(Date.now(), DEBOUNCE_MS);
    tell(scan.diagnostics);
    if (scan.unsettled) soon();
    if (scan.snapshot === undefined) return;
    current = scan.snapshot;
    options.onSnapshot?.(current, scan.changed);
  };
  folders.refresh();
  const poll = setInterval(rescan, options.pollMs ?? POLL_MS);
  poll.unref();
  // What changed between the first look and the beginning of the watch.
  soon();
  return Promise.resolve({
    current: () => current,
    diagnostics: () => told,
    close() {
      closed = true;
      clearTimeout(timer);
      clearInterval(poll);
      folders.close();
    },
  });
}

const LEVELS = Object.freeze({ error: 'error', warning: 'warn', info: 'info' } as const);

/** Watches paths, or the nearest folder above one that is not there. A watch that ends is begun again at the next refresh. */
class Folders {
  readonly #paths: readonly string[];
  readonly #changed: () => void;
  readonly #log: Logger;
  readonly #watchers = new Map<string, { readonly target: string; readonly inode: string; readonly watcher: FSWatcher }>();

  constructor(paths: readonly string[], changed: () => void, log: Logger) {
    this.#paths = paths;
    this.#changed = changed;
    this.#log = log;
  }

  refresh(): void {
    for (const path of this.#paths) {
      const target = watchable(path);
      const inode = inodeOf(target);
      const known = this.#watchers.get(path);
      if (known?.target === target && known.inode === inode) continue;
      known?.watcher.close();
      this.#watchers.delete(path);
      this.#watch(path, target, inode);
    }
  }

  #watch(path: string, target: string, inode: string): void {
    try {
      // A file is watched through its folder: editors replace files, and a watch on the file would stay with the old one.
      const watcher = watch(target, { recursive: target === path, persistent: true }, this.#changed);
      watcher.on('error', (cause) => {
        this.#log.debug({ err: cause, path }, 'a watch ended; polling goes on');
        watcher.close();
        this.#watchers.delete(path);
      });
      this.#watchers.set(path, { target, inode, watcher });
    } catch (cause) {
      this.#log.debug({ err: cause, path }, 'cannot watch; polling goes on');
    }
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}
