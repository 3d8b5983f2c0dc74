import type { Cursor } from './cursor.ts';
import { dynamicTable } from './dynamic-table.ts';
import type { HeaderField } from './header-field.ts';
import { sizeOf } from './header-field.ts';
import { NO_INTEGER, readInteger } from './integer.ts';
import { repeatedStrings } from './repeated-string.ts';
import { STATIC_TABLE } from './static-table.ts';
import { readString } from './string-literal.ts';

export type { HeaderField } from './header-field.ts';

/**
 * `malformed` is a COMPRESSION_ERROR: the tables are out of step, and the connection has to be closed (RFC 9113, section 4.3).
 * `too large` only refuses this request: the whole block was read, and the next one may be decoded.
 */
export type DecodedBlock =
  | { readonly ok: true; readonly fields: readonly HeaderField[] }
  | { readonly ok: false; readonly reason: 'malformed' | 'too large' };

/** One for each connection. Every block of it has to be decoded, whole and in the order of its coming, also those nobody wants. */
export interface HeaderDecoder {
  decode(block: Buffer): DecodedBlock;
}

/** How large the peer's table is before it has read our settings (RFC 9113, section 6.5.2). */
const INITIAL_TABLE_BYTES = 4096;
const [LIST_BYTES, FIELDS] = [16_384, 128];

const MALFORMED: DecodedBlock = { ok: false, reason: 'malformed' };
const TOO_LARGE: DecodedBlock = { ok: false, reason: 'too large' };

/**
 * Decodes the header blocks of one connection (RFC 7541). Its work and its memory are linear in the length of a block, which whoever
 * puts the block together has to bound; a field that a peer names by index is the table's own object and never a copy.
 *
 * @param limits.tableBytes what our SETTINGS_HEADER_TABLE_SIZE says. A peer may use the initial 4,096 until it has read a smaller one.
 * @param limits.listBytes of all names and values of a block, with 32 for each field, as SETTINGS_MAX_HEADER_LIST_SIZE counts them.
 */
export function headerDecoder(
  limits: { readonly tableBytes?: number; readonly listBytes?: number; readonly fields?: number } = {},
): HeaderDecoder {
  const { tableBytes = INITIAL_TABLE_BYTES, listBytes = LIST_BYTES, fields: most = FIELDS } = limits;
  const table = dynamicTable(Math.min(tableBytes, INITIAL_TABLE_BYTES));
  const readValue = repeatedStrings();
  let outOfStep = false;

  const fieldAt = (index: number): HeaderField | undefined =>
    index < STATIC_TABLE.length ? (index > 0 ? STATIC_TABLE[index] : undefined) : table.at(index - STATIC_TABLE.length);

  /** The name is by index when there is one, and a string otherwise (section 6.2). */
  const readLiteral = (cursor: Cursor, mask: number): HeaderField | undefined => {
    const index = readInteger(cursor, mask);
    const name = index === 0 ? readString(cursor) : fieldAt(index)?.name;
    if (name === undefined) return undefined;
    const value = readValue(cursor);
    return value === undefined ? undefined : { name, value };
  };
  const readField = (cursor: Cursor, first: number): HeaderField | undefined => {
    if (first >= 0x80) return fieldAt(readInteger(cursor, 0x7f));
    if (first < 0x40) return readLiteral(cursor, 0x0f);
    const field = readLiteral(cursor, 0x3f);
    if (field !== undefined) table.add(field);
    return field;
  };
  const isSizeUpdate = (first: number | undefined): first is number => first !== undefined && first >= 0x20 && first < 0x40;

  /** Section 4.2: only before the first field. */
  const readSizeUpdates = (cursor: Cursor): boolean => {
    while (isSizeUpdate(cursor.block[cursor.at])) {
      const size = readInteger(cursor, 0x1f);
      if (size === NO_INTEGER || size > tableBytes) return false;
      table.resize(size);
    }
    return true;
  };
  const decode = (block: Buffer): DecodedBlock => {
    const cursor: Cursor = { block, at: 0 };
    if (!readSizeUpdates(cursor)) return MALFORMED;
    const fields: HeaderField[] = [];
    let [bytes, count] = [0, 0];
    while (cursor.at < block.length) {
      const first = block[cursor.at] ?? 0;
      if (isSizeUpdate(first)) return MALFORMED;
      const field = readField(cursor, first);
      if (field === undefined) return MALFORMED;
      bytes += sizeOf(field);
      count++;
      // What does not fit is still decoded: it may enter the table, and the blocks after this one rely on it.
      if (bytes <= listBytes && count <= most) fields.push(field);
    }
    return bytes > listBytes || count > most ? TOO_LARGE : { ok: true, fields };
  };
  return {
    decode(block) {
      if (outOfStep) return MALFORMED;
      const decoded = decode(block);
      outOfStep = decoded === MALFORMED;
      return decoded;
    },
  };
}
