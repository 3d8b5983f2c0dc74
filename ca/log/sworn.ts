import { existsSync } from 'node:fs';
import { checkpointsIn } from './checkpoint-file.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import type { LogFiles } from './files.ts';
import type { NoteVerifier } from './note.ts';
import { readState } from './tree-state.ts';

/** A checkpoint that was kept elsewhere: the only proof against somebody who has the log's key. */
export interface Witness {
  readonly source: string;
  readonly note: string;
}

/** A checkpoint that counts, and where it was found. */
export interface Sworn extends Checkpoint {
  readonly source: string;
}

/** Told of checkpoints that do not count. */
type Refused = (checkpoint: string, reason: string) => void;

export interface SwornSizes {
  next(): Promise<Sworn | undefined>;
  close(): Promise<void>;
}

/** All checkpoints by their size: those of the log, the one that its state holds, and those kept elsewhere. */
export function swornSizes(files: LogFiles, verifier: NoteVerifier, witnesses: readonly Witness[], refused: Refused): SwornSizes {
  const own = checkpointsIn(files.checkpoints, verifier);
  let others: Sworn[] | undefined;
  let [ahead, largest]: [Sworn | undefined, number] = [undefined, 0];
  const nextOwn = async (): Promise<Sworn | undefined> => {
    for (;;) {
      const { value, done } = await own.next();
      if (done === true) return undefined;
      const source = `${files.checkpoints}:${value.line}`;
      if (!value.opened.ok) refused(source, value.opened.reason);
      else if (value.opened.value.size < largest) refused(source, 'it covers fewer records than the one before');
      else {
        largest = value.opened.value.size;
        return { ...value.opened.value, source };
      }
    }
  };
  return {
    async next() {
      if (others === undefined) {
        others = [...(await keptInState(files, verifier)), ...openWitnesses(witnesses, verifier, refused)];
        others.sort((a, b) => a.size - b.size);
      }
      ahead ??= await nextOwn();
      const [other] = others;
      if (other !== undefined && (ahead === undefined || other.size < ahead.size)) return others.shift();
      const first = ahead;
      ahead = undefined;
      return first;
    },
    close: async () => void (await own.return(undefined)),
  };
}

function openWitnesses(witnesses: readonly Witness[], verifier: NoteVerifier, refused: Refused): readonly Sworn[] {
  return witnesses.flatMap((witness) => {
    const opened = openCheckpoint(witness.note, verifier);
    if (opened.ok) return [{ ...opened.value, source: witness.source }];
    refused(witness.source, opened.reason);
    return [];
  });
}

/** The state repeats the newest checkpoint, so that one cut off the end of the file of checkpoints is missed. */
async function keptInState(files: LogFiles, verifier: NoteVerifier): Promise<readonly Sworn[]> {
  if (!existsSync(files.state)) return [];
  const state = await readState(files, verifier);
  const opened = openCheckpoint(state.note, verifier);
  return opened.ok ? [{ ...opened.value, source: files.state }] : [];
}
