import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { HASH_BYTES, type TreeHash } from './merkle/hash.ts';
import { type NoteSigner, type NoteVerifier, openNote, signNote } from './note.ts';

/** What the log has sworn to: its first `size` records have this root. C2SP tlog-checkpoint. */
export interface Checkpoint {
  readonly size: number;
  readonly root: TreeHash;
}

/** Lines of a checkpoint as we write it: origin, size, root, an empty one, one signature. */
export const CHECKPOINT_LINES = 5;

export function signCheckpoint({ size, root }: Checkpoint, signer: NoteSigner): string {
  return signNote(`${signer.name}\n${size}\n${root.toString('base64')}\n`, signer);
}

/** Takes a checkpoint whose signature by this log's key verifies. */
export function openCheckpoint(note: string, verifier: NoteVerifier): Parsed<Checkpoint> {
  const text = openNote(note, verifier);
  if (!text.ok) return text;
  const [origin, digits = '', encoded = ''] = text.value.split('\n');
  const [size, root] = [Number(digits), Buffer.from(encoded, 'base64')];
  if (origin !== verifier.name) return refused('it is of another log');
  if (!/^(?:0|[1-9]\d{0,15})$/.test(digits) || !Number.isSafeInteger(size)) return refused('its size is no number');
  if (root.length !== HASH_BYTES || root.toString('base64') !== encoded) return refused('its root hash is malformed');
  return parsed({ size, root });
}
