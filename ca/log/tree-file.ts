import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { signCheckpoint } from './checkpoint.ts';
import type { LogFiles } from './files.ts';
import { extend, type Frontier, rootOf } from './merkle/frontier.ts';
import { HASH_BYTES, leafHashOfText, type TreeHash } from './merkle/hash.ts';
import type { NoteSigner } from './note.ts';
import { caughtUp } from './catch-up.ts';
import { type TreeState, writeState } from './tree-state.ts';

/** The tree over the records, beside the log that is being written. */
export interface LogTree {
  /** Records that no checkpoint covers yet. */
  readonly unsealed: () => number;
  /** How long the file of checkpoints is, with what is on disk for good. */
  readonly checkpointBytes: () => number;
  /** The newest checkpoint; empty while there is none. */
  readonly checkpoint: () => string;
  /** Hashes the records of a batch that is being written; they count once the function given back is told their length. */
  add(lines: readonly string[]): (bytes: number) => void;
  /** Signs and files a checkpoint over all records kept so far, once `synced` has put them on disk. Never run twice at a time. */
  seal(synced: () => Promise<void>): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * Opens the tree of a log and brings it up to the log's end; only the records after the last checkpoint are read.
 * @throws AuthorityError when the log does not hold what its checkpoints swear to
 */
export async function openTree(files: LogFiles, records: FileHandle, length: number, signer: NoteSigner): Promise<LogTree> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  const leaves = await open(files.leaves, flags, 0o600);
  let checkpoints: FileHandle | undefined;
  try {
    checkpoints = await open(files.checkpoints, flags, 0o644);
    const found = await caughtUp({ files, records, length, verifier: signer, leaves });
    await checkpoints.truncate(found.sealed.checkpointBytes);
    return treeOver({ files, leaves, checkpoints, signer }, found);
  } catch (error) {
    await leaves.close();
    await checkpoints?.close();
    throw error;
  }
}

interface TreeFiles {
  readonly files: LogFiles;
  readonly leaves: FileHandle;
  readonly checkpoints: FileHandle;
  readonly signer: NoteSigner;
}

function treeOver({ files, leaves, checkpoints, signer }: TreeFiles, found: Awaited<ReturnType<typeof caughtUp>>): LogTree {
  let { tree, bytes } = found;
  let sealed: TreeState = found.sealed;
  // Hashes that are not in the file of leaves yet; the file holds those up to `filed`.
  let pending: TreeHash[] = [];
  let filed = tree.size;

  const fileLeaves = async (hashes: readonly TreeHash[]) => {
    await writeFully(leaves, Buffer.concat(hashes), filed * HASH_BYTES);
    filed += hashes.length;
    pending = pending.slice(hashes.length);
  };
  const seal = async (now: Frontier, end: number, hashes: readonly TreeHash[], synced: () => Promise<void>): Promise<string> => {
    await synced();
    await fileLeaves(hashes);
    const note = signCheckpoint({ size: now.size, root: rootOf(now) }, signer);
    const line = Buffer.from(note);
    await writeFully(checkpoints, line, sealed.checkpointBytes);
    await checkpoints.datasync();
    sealed = { tree: now, bytes: end, checkpointBytes: sealed.checkpointBytes + line.length, note };
    await writeState(files, sealed);
    return note;
  };
  return {
    unsealed: () => tree.size - sealed.tree.size,
    checkpointBytes: () => sealed.checkpointBytes,
    checkpoint: () => sealed.note,
    add(lines) {
      const hashes = lines.map(leafHashOfText);
      const grown = extend(tree, hashes);
      return (added) => {
        [tree, bytes] = [grown, bytes + added];
        pending.push(...hashes);
      };
    },
    seal: async (synced) => (tree.size > sealed.tree.size ? seal(tree, bytes, [...pending], synced) : undefined),
    async close() {
      await leaves.close();
      await checkpoints.close();
    },
  };
}

async function writeFully(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
