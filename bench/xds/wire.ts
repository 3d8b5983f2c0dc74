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

/** Writes length-delimited fields into one buffer. Texts are ASCII. */
export class Writer {
  #buffer: Buffer;
  #at: number;

  /** @param from so many bytes are left free at the beginning */
  constructor(from = 0) {
    this.#buffer = Buffer.allocUnsafe(256);
    this.#at = from;
  }

  text(number: number, text: string): void {
    this.#head(number, text.length, text.length);
    this.#at += this.#buffer.write(text, this.#at, 'latin1');
  }

  bytes(number: number, bytes: Uint8Array): void {
    this.#head(number, bytes.length, bytes.length);
    this.raw(bytes);
  }

  /** An entry of a map from strings to strings. */
  entry(number: number, key: string, value: string): void {
    this.#head(number, sizeOf(key.length) + sizeOf(value.length), 0);
    this.text(1, key);
    this.text(2, value);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  take(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  #head(number: number, length: number, room: number): void {
    this.#room(room + 12);
    this.#buffer[this.#at++] = number * 8 + LENGTH_DELIMITED;
    let rest = length;
    for (; rest > 0x7f; rest >>>= 7) this.#buffer[this.#at++] = (rest & 0x7f) | 0x80;
    this.#buffer[this.#at++] = rest;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#at + bytes, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

function sizeOf(length: number): number {
  let size = 2 + length;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size;
}
