import type { Cursor } from './cursor.ts';

/** What `readInteger` gives when there is no integer to read, or none that is allowed. */
export const NO_INTEGER = -1;

/** Four octets of seven bits: far above any length or index that could be meant, far below what bit operations lose. */
const MOST_SHIFT = 21;

/**
 * Reads an integer (RFC 7541, section 5.1) whose prefix is the low bits of the octet at the cursor; `mask` has those bits set. Refused
 * are more than four octets after the prefix, and zeros in front, which no encoder writes.
 */
export function readInteger(cursor: Cursor, mask: number): number {
  const { block } = cursor;
  const first = block[cursor.at++];
  if (first === undefined) return NO_INTEGER;
  let value = first & mask;
  if (value < mask) return value;
  for (let shift = 0; shift <= MOST_SHIFT; shift += 7) {
    const octet = block[cursor.at++];
    if (octet === undefined) return NO_INTEGER;
    value += (octet & 0x7f) << shift;
    if (octet < 0x80) return octet === 0 && shift > 0 ? NO_INTEGER : value;
  }
  return NO_INTEGER;
}
