const [QUOTE, BACKSLASH, COLON, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [
  0x22, 0x5c, 0x3a, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d,
];

/**
 * JSON without the members of these names whose values are lists or mappings: what nobody reads is not made into objects first. A member whose value is a text stays,
 * since the name of a label or an annotation may be any. Written over the bytes themselves. Text that is no JSON stays none.
 */
export function skimmed(bytes: Buffer, names: ReadonlySet<string>): Buffer {
  let [read, written] = [0, 0];
  const keep = (end: number): void => {
    if (written !== read) bytes.copyWithin(written, read, end);
    written += end - read;
    read = end;
  };
  for (let at = bytes.indexOf(QUOTE); at !== -1;) {
    const end = endOfText(bytes, at);
    if (end === -1) break;
    const value = end + 2;
    const opens = bytes[value];
    if (
      bytes[end + 1] === COLON &&
      (opens === OPEN_LIST || opens === OPEN_MAP) &&
      names.has(bytes.toString('latin1', at + 1, end))
    ) {
      const after = endOfValue(bytes, value);
      if (after === -1) break;
      keep(at);
      // The comma before it goes with it, or the one after it.
      if (bytes[written - 1] === COMMA) written -= 1;
      else if (bytes[after] === COMMA) {
        read = after + 1;
        at = bytes.indexOf(QUOTE, read);
        continue;
      }
      read = after;
      at = bytes.indexOf(QUOTE, read);
    } else at = bytes.indexOf(QUOTE, end + 1);
  }
  keep(bytes.length);
  return bytes.subarray(0, written);
}

/** Where the quote stands that ends a text. */
function endOfText(bytes: Buffer, begin: number): number {
  for (let end = bytes.indexOf(QUOTE, begin + 1); end !== -1; end = bytes.indexOf(QUOTE, end + 1)) {
    let slashes = 0;
    while (bytes[end - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}

/** The place after the bracket that ends a list or a mapping. */
function endOfValue(bytes: Buffer, begin: number): number {
  let depth = 0;
  for (let at = begin; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfText(bytes, at);
      if (at === -1) return -1;
    } else if (byte === OPEN_LIST || byte === OPEN_MAP) depth += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_MAP) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}
