import { type FileHandle, open } from 'node:fs/promises';

/** Consecutive lines of a file, without their line ends. The buffers are valid only until the next ones are asked for. */
export interface Lines {
  readonly lines: readonly Buffer[];
  /** Where the first of them starts, and where the last of them ends with its line end. */
  readonly start: number;
  readonly end: number;
}

/** A line longer than this is damage: nothing that is logged comes near it. */
export const LONGEST_LINE = 1024 * 1024;
const CHUNK = 256 * 1024;

/**
 * Reads whole lines, as many at a time as fit a chunk, in bounded memory. What follows the last line end is left out, and so is
 * everything from a line on that is too long.
 */
export async function* linesOf(source: string | FileHandle, from = 0, to = Infinity): AsyncGenerator<Lines> {
  const file = typeof source === 'string' ? await open(source, 'r') : source;
  try {
    let buffer = Buffer.allocUnsafe(CHUNK);
    // The buffer holds `kept` bytes of the file from `at` on.
    for (let [at, kept] = [from, 0]; ;) {
      const wanted = Math.min(buffer.length - kept, to - at - kept);
      const { bytesRead } = wanted > 0 ? await file.read(buffer, kept, wanted, at + kept) : { bytesRead: 0 };
      if (bytesRead === 0) return;
      kept += bytesRead;
      const lines: Buffer[] = [];
      let start = 0;
      for (let end = buffer.indexOf(0x0a); end >= 0 && end < kept; end = buffer.indexOf(0x0a, start)) {
        lines.push(buffer.subarray(start, end));
        start = end + 1;
      }
      if (lines.length > 0) yield { lines, start: at, end: at + start };
      buffer.copyWithin(0, start, kept);
      [at, kept] = [at + start, kept - start];
      if (kept === buffer.length) {
        if (kept > LONGEST_LINE) return;
        buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)]);
      }
    }
  } finally {
    if (typeof source === 'string') await file.close();
  }
}
