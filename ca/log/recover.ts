import type { FileHandle } from 'node:fs/promises';

// Records have about 600 bytes; whatever is longer than this without a line end is no log.
const LONGEST_TAIL = 8 * 1024 * 1024;
const CHUNK = 64 * 1024;

export interface Tail {
  /** Length of the file up to and with its last complete record. */
  readonly good: number;
  /** What follows: a record cut off by a crash, or zeros that a file system left after one. */
  readonly torn: Buffer;
}

/** Finds where the last whole record of a log ends. Undefined when that is further from the end than any crash explains. */
export async function findTail(file: FileHandle): Promise<Tail | undefined> {
  const { size } = await file.stat();
  for (let span = Math.min(CHUNK, size); ; span = Math.min(span * 2, size)) {
    const bytes = Buffer.alloc(span);
    await file.read(bytes, 0, span, size - span);
    const good = goodLength(bytes, span === size);
    if (good !== undefined) return { good: size - span + good, torn: Buffer.from(bytes.subarray(good)) };
    if (span >= size || span >= LONGEST_TAIL) return undefined;
  }
}

/** Length of the part that ends with a whole record; undefined when the bytes hold none and do not start the file. */
function goodLength(bytes: Buffer, fromStart: boolean): number | undefined {
  let end = bytes.lastIndexOf(0x0a) + 1;
  while (end > 0) {
    const start = end === 1 ? 0 : bytes.lastIndexOf(0x0a, end - 2) + 1;
    if (start === 0 && !fromStart) return undefined;
    if (isRecord(bytes.toString('utf8', start, end))) return end;
    end = start;
  }
  return fromStart ? 0 : undefined;
}

function isRecord(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'kind' in value;
  } catch {
    return false;
  }
}
