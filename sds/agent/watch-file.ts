import { readFile, stat } from 'node:fs/promises';
import type { Timers } from '../clock.ts';

const LARGEST_FILE = 8 * 1024 * 1024;

export type FileContent = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

/** A text file of sane size, or why not. */
export async function readText(path: string): Promise<FileContent> {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_FILE) return { ok: false, reason: `${path} is larger than 8 MiB` };
    return { ok: true, text: await readFile(path, 'utf8') };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Calls back whenever the content of a file, or the reason why it cannot be read, differs from the last time. It polls:
 * notification misses files that are replaced through links, as Kubernetes does with mounted volumes. Returns the end.
 */
export function watchFile(
  path: string,
  first: FileContent,
  everyMs: number,
  timers: Timers,
  onChange: (content: FileContent) => void,
): () => void {
  let last = first;
  let ended = false;
  let cancel = () => {};
  const look = async () => {
    const content = await readText(path);
    if (ended) return;
    if (!same(content, last)) {
      last = content;
      onChange(content);
    }
    cancel = timers.after(everyMs, () => void look());
  };
  cancel = timers.after(everyMs, () => void look());
  return () => {
    ended = true;
    cancel();
  };
}

function same(one: FileContent, other: FileContent): boolean {
  return one.ok ? other.ok && one.text === other.text : !other.ok && one.reason === other.reason;
}
