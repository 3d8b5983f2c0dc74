// As much of protobuf's wire format as a load client needs: it must cost far less than the server that it measures.

const LENGTH_DELIMITED = 2;

/** A varint below 2^53; moves `at` on. */
export class Reader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  /** Of the field that {@link next} stopped at. */
  from = 0;
  to = 0;
  value = 0;

  constructor(bytes: Buffer, from = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  #varint(): number {
    let [result, factor] = [0, 1];
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError('a message is cut off');
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
      factor *= 128;
    }
  }

  /** The number of the next field, 0 at the end; its content is from `from` to `to`, or `value` for a varint. */
  next(): number {
    if (this.at >= this.end) return 0;
    const tag = this.#varint();
    switch (tag & 7) {
      case 0:
        this.value = this.#varint();
        break;
      case 1:
        this.at += 8;
        break;
      case LENGTH_DELIMITED: {
        const length = this.#varint();
        this.from = this.at;
        this.to = this.at + length;
        this.at = this.to;
        break;
      }
      case 5:
        this.at += 4;
        break;
      default:
        throw new RangeError(`wire type ${String(tag & 7)}`);
    }
    return tag >>> 3;
  }

  text(): string {
    return this.bytes.toString('latin1', this.from, this.to);
  }

  inside(): Reader {
    return new Reader(this.bytes, this.from, this.to);
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** One length-delimited field. */
export function field(number: number, content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([Buffer.from([...varint(number * 8 + LENGTH_DELIMITED), ...varint(bytes.length)]), bytes]);
}

/** A gRPC message: not compressed, its length, its bytes. */
export function framed(parts: readonly Uint8Array[]): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(
    parts.reduce((sum, part) => sum + part.length, 0),
    1,
  );
  return Buffer.concat([prefix, ...parts]);
}
