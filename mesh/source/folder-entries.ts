import { type Dirent, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

const NAMED = /\.(ya?ml|json)$/i;
/** Expectations about policies may stand beside them; they configure nothing. */
export const POLICY_TEST = /\.policy-test\.(ya?ml|json)$/i;

/** Whether a file of this name in a folder counts. */
export function isListed(name: string): boolean {
  return !name.startsWith('.') && NAMED.test(name) && !POLICY_TEST.test(name);
}

export interface Entry {
  readonly path: string;
  /** A mounted ConfigMap is a folder of links: what one leads to is asked each time. */
  readonly kind: 'file' | 'folder' | 'link';
}

/** Entries of a folder that may count, by name. */
export function entriesOf(folder: string): readonly Entry[] {
  const kindOf = (entry: Dirent): Entry['kind'] | undefined =>
    entry.isSymbolicLink()
      ? 'link'
      : entry.isDirectory()
        ? 'folder'
        : entry.isFile() && isListed(entry.name)
          ? 'file'
          : undefined;
  return readdirSync(folder, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const kind = entry.name.startsWith('.') ? undefined : kindOf(entry);
      return kind === undefined ? [] : [{ path: join(folder, entry.name), kind }];
    });
}

/** What a link leads to now; one that leads nowhere is being replaced. */
export function targetOf(path: string): 'file' | 'folder' | undefined {
  try {
    const stat = statSync(path);
    return stat.isDirectory() ? 'folder' : stat.isFile() && isListed(basename(path)) ? 'file' : undefined;
  } catch {
    return undefined;
  }
}

/** A folder that was changed so shortly before it was read may be changed again without other time stamps. */
const RACY_MS = 1000;

interface Kept {
  readonly stamp: string;
  readonly entries: readonly Entry[];
}

/** Entries of folders, read again only where names came or went, which the time stamps of a folder tell. */
export class KeptEntries {
  readonly #clock: () => number;
  readonly #folders = new Map<string, Kept>();

  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  readonly of = (folder: string): readonly Entry[] => {
    const { dev, ino, mtimeMs, ctimeMs } = statSync(folder);
    const stamp = `${dev}:${ino}:${mtimeMs}:${ctimeMs}`;
    const before = this.#folders.get(folder);
    if (before?.stamp === stamp) return before.entries;
    const settled = this.#clock() - Math.max(mtimeMs, ctimeMs) > RACY_MS;
    const entries = entriesOf(folder);
    if (settled) this.#folders.set(folder, { stamp, entries });
    else this.#folders.delete(folder);
    return entries;
  };

  forget(): void {
    this.#folders.clear();
  }
}
