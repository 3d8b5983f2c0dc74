import { type Dirent, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export interface MissingPath {
  readonly path: string;
  readonly reason: string;
}

export interface Found {
  /** In the order in which objects count: paths as given, folders sorted by name. */
  readonly files: readonly string[];
  readonly missing: readonly MissingPath[];
}

const NAMED = /\.(ya?ml|json)$/i;
const DEEPEST = 32;

/** Files named as such, and all `*.yaml`, `*.yml` and `*.json` below folders, dotfiles left out. */
export function listFiles(paths: readonly string[]): Found {
  const files = new Set<string>();
  const missing: MissingPath[] = [];
  for (const path of paths) {
    if (path === '-') {
      files.add(path);
      continue;
    }
    try {
      if (statSync(path).isDirectory()) walk(path, 0, files, missing);
      else files.add(path);
    } catch (cause) {
      missing.push({ path, reason: reasonOf(cause) });
    }
  }
  return { files: [...files], missing };
}

function walk(folder: string, depth: number, files: Set<string>, missing: MissingPath[]): void {
  if (depth > DEEPEST) return;
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    missing.push({ path: folder, reason: reasonOf(cause) });
    return;
  }
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const kind = entry.isSymbolicLink() ? target(path) : entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : undefined;
    if (kind === 'folder') walk(path, depth + 1, files, missing);
    else if (kind === 'file' && NAMED.test(entry.name)) files.add(path);
  }
}

/** A mounted ConfigMap is a folder of links; one that leads nowhere is being replaced. */
function target(path: string): 'file' | 'folder' | undefined {
  try {
    const stat = statSync(path);
    return stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : undefined;
  } catch {
    return undefined;
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

/** What to watch for a path: itself if it is a folder, else the nearest folder above it. */
export function watchable(path: string): string {
  const full = resolve(path);
  if (statSync(full, { throwIfNoEntry: false })?.isDirectory() === true) return path;
  for (let folder = dirname(full); ; folder = dirname(folder)) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true || folder === dirname(folder)) return folder;
  }
}

/** Tells a folder from another that took its place. */
export function inodeOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}
