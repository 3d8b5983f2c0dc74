import type { Logger } from 'pino';
import type { Change } from '../admit/change.ts';
import type { WrittenObjects } from '../admit/written-objects.ts';
import { type Diagnostic, formatDiagnostic } from '../model/diagnostic.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Folders } from './files.ts';
import { FolderWatches } from './folder-watches.ts';
import { LiveMesh, type LiveOptions } from './live-mesh.ts';
import { LATEST_MS, Pace } from './pace.ts';

export interface WatchOptions extends LiveOptions {
  readonly log: Logger;
  /** Called for every snapshot after the first, which `current` gives. */
  readonly onSnapshot?: (snapshot: Snapshot, changed: readonly Change[]) => void;
  /** Called with all that is wrong now, whenever that changes. */
  readonly onDiagnostics?: (diagnostics: readonly Diagnostic[]) => void;
  /** How often files are looked at even without an event: network file systems and some containers give none. */
  readonly pollMs?: number;
  /** How many of them at a time. */
  readonly pollFiles?: number;
}

export interface WatchedMesh {
  current(): Snapshot;
  diagnostics(): readonly Diagnostic[];
  /** Everything in the files that has a kind and a name, admitted or not. */
  written(): WrittenObjects;
  close(): void;
}

/** A file that is written in place is read when it has been quiet for so long. */
const SETTLE_MS = 20;
const POLL_MS = 3000;
/** So many files are looked at then, the next ones the next time; names that came or went are seen each time. */
const NEXT_FILES = 500;
/** When a change was found that nobody told of, nothing is relied on for so long: each time every file is looked at. */
const SILENT_MS = 600_000;
/** Looking at every file of a large mesh without an event takes at most one part in so many of the time. */
const POLL_SHARE = 50;

/**
 * Reads files and keeps reading them as they change. A bad change leaves the last good version of each object in effect.
 * @throws Error when the mesh configuration cannot be used at the start: there is nothing to fall back to
 */
export async function watchMesh(options: WatchOptions): Promise<WatchedMesh> {
  const mesh = new LiveMesh(options);
  // At the start whatever is there is read, also what was written just now: there is nothing older to keep.
  const first = mesh.scan(Date.now(), 0);
  if (first.diagnostics.length > 0) options.onDiagnostics?.(first.diagnostics);
  if (first.snapshot === undefined)
    throw new Error(`the mesh configuration cannot be used:\n${first.diagnostics.map(formatDiagnostic).join('\n')}`);
  return Promise.resolve(new Watching(mesh, first.snapshot, first.diagnostics, first.folders, options));
}

class Watching implements WatchedMesh {
  readonly #mesh: LiveMesh;
  readonly #options: WatchOptions;
  readonly #pace = new Pace();
  readonly #watches: FolderWatches;
  #current: Snapshot;
  #told: readonly Diagnostic[];
  #folders: Folders | undefined;
  /** Entries that changed since the last look; undefined: any may have. */
  #open: Set<string> | undefined = new Set();
  /** Files that were found changed and of which nobody has told, so far. */
  readonly #untold = new Set<string>();
  #silentUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #immediate: NodeJS.Immediate | undefined;
  #poll: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(mesh: LiveMesh, snapshot: Snapshot, diagnostics: readonly Diagnostic[], folders: Folders, options: WatchOptions) {
    this.#mesh = mesh;
    this.#options = options;
    this.#current = snapshot;
    this.#told = diagnostics;
    this.#watches = new FolderWatches((path) => this.#changed(path), options.log);
    this.#watch(folders);
    // What changed between the first look and the beginning of the watch.
    this.#changed(undefined);
    this.#pollLater(0);
  }

  current(): Snapshot {
    return this.#current;
  }

  diagnostics(): readonly Diagnostic[] {
    return this.#told;
  }

  written(): WrittenObjects {
    return this.#mesh.written();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    clearTimeout(this.#poll);
    this.#watches.close();
  }

  #changed(path: string | undefined): void {
    if (path === undefined) this.#open = undefined;
    else {
      this.#untold.delete(path);
      this.#open?.add(path);
    }
    this.#lookIn(this.#pace.wait(performance.now()));
  }

  /** Events that the kernel has ready are heard before the look. */
  #lookIn(ms: number): void {
    if (this.#closed || this.#immediate !== undefined) return;
    const due = performance.now() + ms;
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = due;
    if (ms > 0) this.#timer = setTimeout(() => this.#look(), ms);
    else this.#immediate = setImmediate(() => this.#look());
  }

  /** @param next files to look at of which nobody told */
  #look(next?: number): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
    this.#due = Number.POSITIVE_INFINITY;
    const began = performance.now();
    const only = this.#open;
    this.#open = new Set();
    const scan = this.#mesh.scan(Date.now(), SETTLE_MS, only === undefined ? 'all' : { entries: only, next });
    const all = only === undefined || next !== undefined;
    const fresh = all || scan.folders !== this.#folders ? this.#watch(scan.folders) : false;
    if (scan.diagnostics !== this.#told) {
      this.#told = scan.diagnostics;
      this.#options.onDiagnostics?.(scan.diagnostics);
    }
    if (scan.snapshot !== undefined) {
      this.#current = scan.snapshot;
      this.#options.onSnapshot?.(scan.snapshot, scan.changed);
    }
    const ended = performance.now();
    if (scan.snapshot !== undefined) this.#pace.looked(began, ended);
    if (fresh) this.#changed(undefined);
    if (scan.unsettled !== undefined) {
      const wait = Math.ceil(scan.unsettled - Date.now());
      this.#lookIn(Math.max(1, this.#pace.wait(ended), Math.min(wait, LATEST_MS)));
    }
    for (const file of scan.untold) this.#untold.add(file);
    if (all) this.#pollLater(ended - began);
  }

  #watch(folders: Folders): boolean {
    this.#folders = folders;
    return this.#watches.refresh(folders);
  }

  #pollLater(took: number): void {
    clearTimeout(this.#poll);
    if (this.#closed) return;
    this.#poll = setTimeout(
      () => {
        if (this.#untold.size > 0) this.#silentUntil = performance.now() + SILENT_MS;
        this.#untold.clear();
        const silent = performance.now() < this.#silentUntil;
        this.#look(silent ? Number.POSITIVE_INFINITY : (this.#options.pollFiles ?? NEXT_FILES));
      },
      Math.max(this.#options.pollMs ?? POLL_MS, took * POLL_SHARE),
    );
    this.#poll.unref();
  }
}
