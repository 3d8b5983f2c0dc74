import { type FileHandle, stat } from 'node:fs/promises';
import { AuthorityError } from '../root/error.ts';
import { checkpointsIn, type FiledCheckpoint } from './checkpoint-file.ts';
import type { LogFiles } from './files.ts';
import { linesOf } from './lines.ts';
import { extend, type Frontier, rootOf } from './merkle/frontier.ts';
import { HASH_BYTES, leafHash } from './merkle/hash.ts';
import type { NoteVerifier } from './note.ts';
import { NOTHING_SEALED, readState, type TreeState } from './tree-state.ts';

export interface CatchUp {
  readonly files: LogFiles;
  readonly records: FileHandle;
  /** Of the log, up to and with its last whole record. */
  readonly length: number;
  readonly verifier: NoteVerifier;
  /** Gets the hashes of the records that are read. */
  readonly leaves: FileHandle;
}

export interface CaughtUp {
  /** Over all records. */
  readonly tree: Frontier;
  readonly bytes: number;
  readonly sealed: TreeState;
}

/**
 * Hashes the records that the kept state does not cover (all of them when there is none that a checkpoint vouches for) and compares
 * the tree with each checkpoint on the way.
 * @throws AuthorityError when they disagree, or when the log ends before a checkpoint does
 */
export async function caughtUp(options: CatchUp): Promise<CaughtUp> {
  const start = await startingState(options);
  const checkpoints = checkpointsIn(options.files.checkpoints, options.verifier, start.checkpointBytes);
  try {
    return await from(start, checkpoints, options);
  } finally {
    await checkpoints.return(undefined);
  }
}

async function from(
  start: TreeState,
  checkpoints: AsyncGenerator<FiledCheckpoint>,
  { files, records, length, leaves }: CatchUp,
): Promise<CaughtUp> {
  let sealed = start;
  let { tree, bytes } = start;
  const next = async () => {
    const { value, done } = await checkpoints.next();
    if (done === true) return undefined;
    if (!value.opened.ok)
      throw tampered(files, `${files.checkpoints} holds a checkpoint that does not count: ${value.opened.reason}`);
    return { ...value, ...value.opened.value };
  };
  let checkpoint = await next();
  for await (const { lines } of linesOf(records, start.bytes, length)) {
    const hashes: Buffer[] = [];
    for (const line of lines) {
      const hash = leafHash(line);
      hashes.push(hash);
      tree = extend(tree, [hash]);
      bytes += line.length + 1;
      for (; checkpoint !== undefined && checkpoint.size <= tree.size; checkpoint = await next()) {
        if (checkpoint.size < tree.size || !checkpoint.root.equals(rootOf(tree)))
          throw tampered(files, `${files.records} is not what the checkpoint of ${checkpoint.size} records swears to`);
        sealed = { tree, bytes, checkpointBytes: checkpoint.end, note: checkpoint.note };
      }
    }
    await leaves.write(Buffer.concat(hashes), 0, undefined, (tree.size - hashes.length) * HASH_BYTES);
  }
  if (checkpoint !== undefined)
    throw tampered(
      files,
      `${files.records} has ${tree.size} records, but a checkpoint swears to ${checkpoint.size}: some were removed`,
    );
  await leaves.truncate(tree.size * HASH_BYTES);
  return { tree, bytes, sealed };
}

/** The kept state, where the files still reach it and it ends where a record does. */
async function startingState({ files, records, length, verifier, leaves }: CatchUp): Promise<TreeState> {
  const state = await readState(files, verifier);
  if (state.tree.size === 0) return NOTHING_SEALED;
  if (length < state.bytes)
    throw tampered(files, `${files.records} is shorter than at its last checkpoint: records were removed`);
  // A checkpoint is on disk before the state that follows from it, so no crash explains this.
  if ((await stat(files.checkpoints)).size < state.checkpointBytes)
    throw tampered(files, `${files.checkpoints} lacks a checkpoint that was written`);
  const last = Buffer.alloc(1);
  await records.read(last, 0, 1, state.bytes - 1);
  const { size } = await leaves.stat();
  // A shorter file of leaves or another line structure: everything is hashed again, and compared.
  return last[0] === 0x0a && size >= state.tree.size * HASH_BYTES ? state : NOTHING_SEALED;
}

export function tampered(files: LogFiles, what: string): AuthorityError {
  return new AuthorityError(
    `${what}; nothing is issued on top of it. gatehouse ca log verify says more. Restore the issuance log from a backup, or keep it as ` +
      `evidence: move ${files.records} and the files named like it away together, and a new log is started`,
  );
}
