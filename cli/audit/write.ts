import { once } from 'node:events';
import type { Writable } from 'node:stream';

const PIECE = 64 * 1024;

/** Writes pieces as fast as they are read, so that a report of any length waits in no memory. Ends quietly when the reader went away. */
export async function writeAll(pieces: Iterable<string>, out: Writable): Promise<void> {
  let waiting = '';
  let gone = false;
  const leave = (error: Error): void => {
    if (!('code' in error) || error.code !== 'EPIPE') throw error;
    gone = true;
  };
  out.on('error', leave);
  const flush = async (): Promise<void> => {
    const text = waiting;
    waiting = '';
    if (!out.write(text)) await Promise.race([once(out, 'drain'), once(out, 'close')]).catch(leave);
  };
  for (const piece of pieces) {
    waiting += piece;
    if (waiting.length >= PIECE) await flush();
    if (gone) return;
  }
  if (waiting !== '') await flush();
}
