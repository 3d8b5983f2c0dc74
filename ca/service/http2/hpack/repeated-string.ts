import type { Cursor } from './cursor.ts';
import { readString } from './string-literal.ts';

/** Octets from which on it is cheaper to compare than to decode. */
const LONG = 64;

/**
 * Reads strings, and knows the long one again that came before. Clients keep tokens out of their tables (RFC 7541, section 7.1.3), so each call of a
 * connection brings the same one as a literal. Of one connection only: how long it takes tells a client nothing about another's.
 */
export function repeatedStrings(): (cursor: Cursor) => string | undefined {
  let [octets, text] = [Buffer.alloc(0), ''];
  return (cursor) => {
    const { block, at } = cursor;
    const end = at + octets.length;
    // The octets say how long the string is, so the same octets are the same string.
    if (text !== '' && end <= block.length && octets.compare(block, at, end) === 0) {
      cursor.at = end;
      return text;
    }
    const read = readString(cursor);
    if (read !== undefined && cursor.at - at >= LONG) [octets, text] = [Buffer.from(block.subarray(at, cursor.at)), read];
    return read;
  };
}
