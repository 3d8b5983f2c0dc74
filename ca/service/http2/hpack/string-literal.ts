import type { Cursor } from './cursor.ts';
import { decodeHuffman } from './huffman.ts';
import { NO_INTEGER, readInteger } from './integer.ts';

/** Reads a string (RFC 7541, section 5.2), one character for each octet. Undefined when it is malformed or ends after the block. */
export function readString(cursor: Cursor): string | undefined {
  const { block } = cursor;
  const huffman = (block[cursor.at] ?? 0) >= 0x80;
  const length = readInteger(cursor, 0x7f);
  const start = cursor.at;
  const end = start + length;
  if (length === NO_INTEGER || end > block.length) return undefined;
  cursor.at = end;
  if (length === 0) return '';
  return huffman ? decodeHuffman(block, start, end) : block.toString('latin1', start, end);
}
