/** An integer of HPACK (RFC 7541, section 5.1) behind the bits above its prefix. */
function integer(bits: number, prefix: number, value: number): Buffer {
  const most = 2 ** prefix - 1;
  if (value < most) return Buffer.of(bits | value);
  const bytes = [bits | most];
  let rest = value - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(0, 7, bytes.length), bytes]);
}

/** A field as it is, kept by nobody (section 6.2.2). */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x00), text(name), text(value)]);
}

/** A field that the server must keep in its table (section 6.2.1). */
export function kept(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), text(name), text(value)]);
}

/** A field of the tables by its number; 62 is the one kept last (section 6.1). */
export function indexed(index: number): Buffer {
  return integer(0x80, 7, index);
}

/** How large the table shall be from here on (section 6.3). */
export function tableSize(size: number): Buffer {
  return integer(0x20, 5, size);
}

/** The header block of a gRPC call, with further fields behind. */
export function callFields(path: string, ...more: readonly Buffer[]): Buffer {
  return Buffer.concat([
    literal(':method', 'POST'),
    literal(':scheme', 'https'),
    literal(':path', path),
    literal(':authority', 'gatehouse'),
    literal('te', 'trailers'),
    literal('content-type', 'application/grpc'),
    ...more,
  ]);
}

/** A gRPC message, uncompressed, behind its prefix. */
export function message(bytes: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}
