import { TAG } from './read.ts';

/** A DER element whose bytes are not laid out yet: nothing is copied until the outermost one is encoded. */
export interface Nested {
  readonly tag: number;
  readonly contents: readonly Part[];
  /** Of the contents. */
  readonly length: number;
}

export type Part = Uint8Array | Nested;

export function nested(tag: number, ...contents: readonly Part[]): Nested {
  let length = 0;
  for (const part of contents) length += part instanceof Uint8Array ? part.length : headerLength(part.length) + part.length;
  return { tag, contents, length };
}

export function nestedSequence(...contents: readonly Part[]): Nested {
  return nested(TAG.sequence, ...contents);
}

/** All of it in one buffer. */
export function encode(outermost: Nested): Buffer {
  const bytes = Buffer.allocUnsafe(headerLength(outermost.length) + outermost.length);
  write(outermost, bytes, 0);
  return bytes;
}

function headerLength(length: number): number {
  if (length < 0x80) return 2;
  if (length < 0x100) return 3;
  if (length < 0x10000) return 4;
  throw new RangeError(`a DER element of ${length} bytes is never written here`);
}

/** Gives where the element ends. */
function write({ tag, contents, length }: Nested, bytes: Buffer, start: number): number {
  let at = start;
  bytes[at++] = tag;
  if (length >= 0x80) bytes[at++] = length < 0x100 ? 0x81 : 0x82;
  if (length >= 0x100) bytes[at++] = length >> 8;
  bytes[at++] = length & 0xff;
  for (const part of contents) {
    if (part instanceof Uint8Array) {
      bytes.set(part, at);
      at += part.length;
    } else at = write(part, bytes, at);
  }
  return at;
}
