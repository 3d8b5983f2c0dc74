import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { entriesOf, type Entry, targetOf } from './folder-entries.ts';

export interface MissingPath {
  readonly path: string;
  readonly reason: string;
}

/** Folders to watch, each with the entries that matter in it; undefined: all. */
export type Folders = ReadonlyMap<string, ReadonlySet<string> | undefined>;

export interface Found {
  /** In the order in which objects count: paths as given, folders sorted by name. */
  readonly files: readonly string[];
  readonly missing: readonly MissingPath[];
  /** Where a change may come from: every folder below the paths, and the nearest folder above those that are none. */
  readonly folders: Folders;
}

const DEEPEST = 32;

/** Files named as such, and all `*.yaml`, `*.yml` and `*.json` below folders, dotfiles and policy tests left out. */
export function listFiles(paths: readonly string[], entriesIn = entriesOf): Found {
  const files = new Set<string>();
  const missing: MissingPath[] = [];
  const folders = new Map<string, ReadonlySet<string> | undefined>();
  for (const path of paths) {
    if (path === '-') {
      files.add(path);
      continue;
    }
    try {
      if (statSync(path).isDirectory()) walk(path, 0, { files, missing, folders, entriesIn });
      else files.add(path);
    } catch (cause) {
      missing.push({ path, reason: reasonOf(cause) });
    }
    // A folder may be replaced, and a file is replaced by its editor: both are seen from above only.
    addAbove(folders, path);
  }
  return { files: [...files], missing, folders };
}

interface Finding {
  readonly files: Set<string>;
  readonly missing: MissingPath[];
  readonly folders: Map<string, ReadonlySet<string> | undefined>;
  readonly entriesIn: (folder: string) => readonly Entry[];
}

function walk(folder: string, depth: number, found: Finding): void {
  if (depth > DEEPEST) return;
  found.folders.set(resolve(folder), undefined);
  let entries: readonly Entry[];
  try {
    entries = found.entriesIn(folder);
  } catch (cause) {
    found.missing.push({ path: folder, reason: reasonOf(cause) });
    return;
  }
  for (const { path, kind } of entries) {
    const leads = kind === 'link' ? targetOf(path) : kind;
    if (leads === 'folder') walk(path, depth + 1, found);
    else if (leads === 'file') found.files.add(path);
  }
}

export function reasonOf(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read';
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

/** Adds the nearest folder above a path that is there, and the entry through which the path is reached. */
export function addAbove(folders: Map<string, ReadonlySet<string> | undefined>, path: string): void {
  let entry = resolve(path);
  while (statSync(dirname(entry), { throwIfNoEntry: false })?.isDirectory() !== true && entry !== dirname(entry))
    entry = dirname(entry);
  const folder = dirname(entry);
  const known = folders.get(folder);
  if (known === undefined && folders.has(folder)) return;
  folders.set(folder, new Set([...(known ?? []), basename(entry)]));
}

function sameList<T>(one: readonly T[], other: readonly T[], same = (a: T, b: T) => a === b): boolean {
  return one.length === other.length && one.every((value, at) => same(value, other[at] ?? value));
}

/** `before`, if the same was found. */
export function asFound(before: Found | undefined, now: Found): Found {
  const same =
    before !== undefined &&
    sameList(before.files, now.files) &&
    sameList(before.missing, now.missing, (a, b) => a.path === b.path && a.reason === b.reason) &&
    sameList(
      [...before.folders],
      [...now.folders],
      ([folder, names], [other, others]) => folder === other && sameList([...(names ?? ['/'])], [...(others ?? ['/'])]),
    );
  return same ? before : now;
}

/** Tells a folder from another that took its place. */
export function inodeOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}
