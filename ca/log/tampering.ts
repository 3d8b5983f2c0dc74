import { stat } from 'node:fs/promises';
import type { LogFiles } from './files.ts';
import { leavesIn } from './leaves-file.ts';
import { linesOf } from './lines.ts';
import { extend, type Frontier, rootOf } from './merkle/frontier.ts';
import { leafHash, type TreeHash } from './merkle/hash.ts';

/** What was done to the records, and where. Records are counted from 1, as lines are. */
export interface Tampering {
  readonly kind: 'edited' | 'removed' | 'inserted' | 'reordered' | 'changed' | 'truncated';
  readonly first: number;
  readonly last: number;
}

/** Two checkpoints of which the records keep the earlier and break the later. */
export interface Broken {
  readonly files: LogFiles;
  readonly from: { readonly tree: Frontier; readonly bytes: number };
  readonly to: { readonly size: number; readonly root: TreeHash };
  /** How many records the log has. */
  readonly records: number;
}

/**
 * Says which record was tampered with. The file of leaf hashes tells it, if those hashes have the root that the later checkpoint swears to;
 * without it only the two checkpoints are known between which something changed.
 */
export async function findTampering({ files, from, to, records }: Broken): Promise<Tampering> {
  const sworn = await leavesIn(files.leaves, from.tree.size, to.size);
  const first = from.tree.size + 1;
  if (sworn.length !== to.size - from.tree.size || !rootOf(extend(from.tree, sworn)).equals(to.root))
    return records < to.size
      ? { kind: 'truncated', first: records + 1, last: to.size }
      : { kind: 'changed', first, last: to.size };
  // As many again after the later checkpoint: inserted records push others there.
  const found = await hashesFrom(files.records, from.bytes, 2 * sworn.length);
  const at = sworn.findIndex((hash, index) => found[index]?.equals(hash) !== true);
  if (at < 0) return { kind: 'changed', first, last: to.size };
  return classify(sworn, found, at, first);
}

function classify(sworn: readonly TreeHash[], found: readonly TreeHash[], at: number, first: number): Tampering {
  const [was, is] = [sworn[at], found[at]];
  const place = first + at;
  if (was === undefined || is === undefined) return { kind: 'truncated', first: place, last: first + sworn.length - 1 };
  const stillThere = found.findIndex((hash, index) => index > at && hash.equals(was));
  const cameFrom = sworn.findIndex((hash, index) => index > at && hash.equals(is));
  if (stillThere > 0 && cameFrom > 0) return { kind: 'reordered', first: place, last: first + Math.max(stillThere, cameFrom) };
  if (cameFrom > 0) return { kind: 'removed', first: place, last: first + cameFrom - 1 };
  if (stillThere > 0) return { kind: 'inserted', first: place, last: first + stillThere - 1 };
  return { kind: 'edited', first: place, last: place };
}

async function hashesFrom(path: string, bytes: number, most: number): Promise<readonly TreeHash[]> {
  const hashes: TreeHash[] = [];
  if ((await stat(path)).size <= bytes) return hashes;
  for await (const { lines } of linesOf(path, bytes))
    for (const line of lines) {
      if (hashes.length >= most) return hashes;
      hashes.push(leafHash(line));
    }
  return hashes;
}
