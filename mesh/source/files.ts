import { type Dirent, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

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

const NAMED = /\.(ya?ml|json)$/i;
/** Expectations about policies may stand beside them; they configure nothing. */
export const POLICY_TEST = /\.policy-test\.(ya?ml|json)$/i;
const DEEPEST = 32;

/** Whether a file of this name in a folder counts. */
export function isListed(name: string): boolean {
  return !name.startsWith('.') && NAMED.test(name) && !POLICY_TEST.test(name);
}

/** Files named as such, and all `*.yaml`, `*.yml` and `*.json` below folders, dotfiles and policy tests left out. */
export function listFiles(paths: readonly string[]): Found {
  const files = new Set<string>();
  const missing: MissingPath[] = [];
  const folders = new Map<string, ReadonlySet<string> | undefined>();
  for (const path of paths) {
    if (path === '-') {
      files.add(path);
      continue;
    }
    try {
      if (statSync(path).isDirectory()) walk(path, 0, { files, missing, folders });
      else files.add(path);
    } catch (cause) {
      missing.push({ path, reason: reasonOf(cause) });
    }
    // A folder may be replaced, and a file is replaced by its editor: both are seen from above only.
    addAbove(folders, path);
  }
  return { files: [...files], missing, folders };
}

function walk(
  folder: string,
  depth: number,
  found: {
    readonly files: Set<string>;
    readonly missing: MissingPath[];
    readonly folders: Map<string, ReadonlySet<string> | undefined>;
  },
): void {
  if (depth > DEEPEST) return;
  found.folders.set(resolve(folder), undefined);
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    found.missing.push({ path: folder, reason: reasonOf(cause) });
    return;
  }
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const kind = entry.isSymbolicLink() ? target(path) : entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : undefined;
    if (kind === 'folder') walk(path, depth + 1, found);
    else if (kind === 'file' && isListed(entry.name)) found.files.add(path);
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

/** Tells a folder from another that took its place. */
export function inodeOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}
