import { stat } from 'node:fs/promises';
import type { LogFiles } from './files.ts';
import { leafCount } from './leaves-file.ts';
import { linesOf } from './lines.ts';
import { EMPTY, extend, type Frontier, rootOf } from './merkle/frontier.ts';
import { leafHash } from './merkle/hash.ts';
import type { NoteVerifier } from './note.ts';
import { parseRecord } from './read.ts';
import { type Sworn, type SwornSizes, swornSizes, type Witness } from './sworn.ts';
import { findTampering, type Tampering } from './tampering.ts';

export type Finding =
  | ({ readonly problem: 'tampering' } & Tampering & { readonly checkpoint: string })
  | { readonly problem: 'checkpoint'; readonly checkpoint: string; readonly reason: string }
  | { readonly problem: 'unreadable'; readonly record: number }
  | { readonly problem: 'no-checkpoint' };

export interface VerifiedLog {
  readonly records: number;
  readonly checkpoints: number;
  /** Records that checkpoints vouch for. */
  readonly sealed: number;
  /** The root over the sealed records, base64. */
  readonly root: string;
  /** Bytes after the last whole record: one that is being written, or that a crash tore off. */
  readonly tornBytes: number;
  readonly findings: readonly Finding[];
}

// Enough to see what happened; a file that is no log would fill the memory.
const MOST_FINDINGS = 100;

/**
 * Reads a whole log in bounded memory: hashes each record, and compares the tree with every checkpoint, those kept elsewhere included. As
 * all are compared with one growing tree, each is also shown to extend the one before. Stops at the first that does not hold.
 */
export async function verifyLog(
  files: LogFiles,
  verifier: NoteVerifier,
  witnesses: readonly Witness[] = [],
): Promise<VerifiedLog> {
  const findings: Finding[] = [];
  const note = (finding: Finding) => void (findings.length < MOST_FINDINGS && findings.push(finding));
  const queue = swornSizes(files, verifier, witnesses, (checkpoint, reason) =>
    note({ problem: 'checkpoint', checkpoint, reason }),
  );
  try {
    return await against(queue, files, findings, note);
  } finally {
    await queue.close();
  }
}

async function against(
  queue: SwornSizes,
  files: LogFiles,
  findings: readonly Finding[],
  note: (finding: Finding) => void,
): Promise<VerifiedLog> {
  let next = await queue.next();
  let [tree, bytes, checkpoints]: [Frontier, number, number] = [EMPTY, 0, 0];
  let good: { tree: Frontier; bytes: number } = { tree, bytes };
  let broken: Sworn | undefined;
  for await (const { lines } of linesOf(files.records)) {
    for (const line of lines) {
      if (parseRecord(line.toString('utf8')) === undefined) note({ problem: 'unreadable', record: tree.size + 1 });
      tree = extend(tree, [leafHash(line)]);
      bytes += line.length + 1;
      for (; broken === undefined && next !== undefined && next.size <= tree.size; next = await queue.next()) {
        if (next.size === tree.size && next.root.equals(rootOf(tree)))
          [good, checkpoints] = [{ tree, bytes }, checkpoints + (next.source === files.state ? 0 : 1)];
        else if (next.size < tree.size)
          note({ problem: 'checkpoint', checkpoint: next.source, reason: 'it is older than the one before' });
        else broken = next;
        if (broken !== undefined) break;
      }
    }
  }
  broken ??= next;
  if (broken !== undefined) {
    const place = await findTampering({ files, from: good, to: broken, records: tree.size });
    note({ problem: 'tampering', ...place, checkpoint: broken.source });
  } else if ((await leafCount(files.leaves)) > tree.size)
    note({
      problem: 'tampering',
      kind: 'truncated',
      first: tree.size + 1,
      last: await leafCount(files.leaves),
      checkpoint: files.leaves,
    });
  if (checkpoints === 0 && tree.size > 0 && findings.length === 0) note({ problem: 'no-checkpoint' });
  const root = rootOf(good.tree).toString('base64');
  const tornBytes = (await stat(files.records)).size - bytes;
  return { records: tree.size, checkpoints, sealed: good.tree.size, root, tornBytes: Math.max(0, tornBytes), findings };
}
