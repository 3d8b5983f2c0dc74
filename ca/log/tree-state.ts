import { open, readFile, rename } from 'node:fs/promises';
import { openCheckpoint } from './checkpoint.ts';
import type { LogFiles } from './files.ts';
import { EMPTY, type Frontier, rootOf, subtreeCount } from './merkle/frontier.ts';
import { HASH_BYTES } from './merkle/hash.ts';
import type { NoteVerifier } from './note.ts';
import { parseObject } from '../json-object.ts';

/** How far the log was sealed when this was written. */
export interface TreeState {
  readonly tree: Frontier;
  /** Where record number `tree.size` ends in the log. */
  readonly bytes: number;
  /** Where its checkpoint ends in the file of checkpoints. */
  readonly checkpointBytes: number;
  readonly note: string;
}

export const NOTHING_SEALED: TreeState = Object.freeze({ tree: EMPTY, bytes: 0, checkpointBytes: 0, note: '' });

/** Not synced: it is derived. After a power cut it may be empty, and then all records are hashed again. */
export async function writeState(files: LogFiles, { tree, bytes, checkpointBytes, note }: TreeState): Promise<void> {
  const temporary = `${files.state}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    const subtrees = tree.subtrees.map((hash) => hash.toString('hex'));
    await file.writeFile(JSON.stringify({ size: tree.size, subtrees, bytes, checkpointBytes, note }));
  } finally {
    await file.close();
  }
  await rename(temporary, files.state);
}

/** The state kept, if a signed checkpoint vouches for its tree; whatever is doubtful counts as none. */
export async function readState(files: LogFiles, verifier: NoteVerifier): Promise<TreeState> {
  const state = parseState(await readFile(files.state, 'utf8').catch(() => ''));
  if (state === undefined) return NOTHING_SEALED;
  const checkpoint = openCheckpoint(state.note, verifier);
  const sworn = checkpoint.ok && checkpoint.value.size === state.tree.size && checkpoint.value.root.equals(rootOf(state.tree));
  return sworn ? state : NOTHING_SEALED;
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function parseState(text: string): TreeState | undefined {
  const fields = parseObject(text);
  if (fields === undefined) return undefined;
  const { size, subtrees, bytes, checkpointBytes, note } = fields;
  if (!isCount(size) || !isCount(bytes) || !isCount(checkpointBytes) || typeof note !== 'string') return undefined;
  if (!Array.isArray(subtrees) || subtrees.length !== subtreeCount(size)) return undefined;
  const hashes = subtrees.map((hash) => Buffer.from(typeof hash === 'string' ? hash : '', 'hex'));
  if (hashes.some((hash) => hash.length !== HASH_BYTES)) return undefined;
  return { tree: { size, subtrees: hashes }, bytes, checkpointBytes, note };
}
