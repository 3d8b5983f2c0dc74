/** Bytes of a varint of protobuf's wire format (encoding guide) for a number below 2^31. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size;
}

/** @returns where it ends */
export function writeVarint(out: Uint8Array, start: number, value: number): number {
  let [at, rest] = [start, value];
  while (rest > 0x7f) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}
