import { existsSync } from 'node:fs';
import { type Checkpoint, CHECKPOINT_LINES, openCheckpoint } from './checkpoint.ts';
import type { Parsed } from '../identity/parsed.ts';
import { linesOf } from './lines.ts';
import type { NoteVerifier } from './note.ts';

export interface FiledCheckpoint {
  readonly note: string;
  readonly opened: Parsed<Checkpoint>;
  /** Its first line in the file, counted from 1. Only meaningful when read from the start. */
  readonly line: number;
  /** Where it ends in the file. */
  readonly end: number;
}

/** The checkpoints of a file in order, from one on. One that a crash cut short at the end is left out. */
export async function* checkpointsIn(path: string, verifier: NoteVerifier, from = 0): AsyncGenerator<FiledCheckpoint> {
  if (!existsSync(path)) return;
  let block: string[] = [];
  let [line, end] = [1, from];
  for await (const { lines } of linesOf(path, from))
    for (const bytes of lines) {
      block.push(bytes.toString('utf8'));
      end += bytes.length + 1;
      if (block.length < CHECKPOINT_LINES) continue;
      const note = `${block.join('\n')}\n`;
      yield { note, opened: openCheckpoint(note, verifier), line, end };
      line += CHECKPOINT_LINES;
      block = [];
    }
}

/** The newest whole checkpoint of a file. */
export async function lastCheckpoint(path: string, verifier: NoteVerifier): Promise<FiledCheckpoint | undefined> {
  let last: FiledCheckpoint | undefined;
  for await (const filed of checkpointsIn(path, verifier)) last = filed;
  return last;
}
