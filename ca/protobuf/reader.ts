/**
 * Reads protobuf's wire format (encoding guide), one field after the other, where making objects of whole messages costs too much. Every
 * method throws where the bytes are none.
 */
export class ProtobufReader {
  readonly bytes: Buffer;
  /** Where it reads next. */
  at = 0;
  /** Of the message that it is in. */
  #end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
  }

  /** The tag of the next field (its number, and its type in the last three bits); 0 at the end of the message. */
  tag(): number {
    if (this.at >= this.#end) return 0;
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw new Error('a field has no number');
    return tag;
  }

  /** Of longer numbers the lowest 32 bits. */
  uint32(): number {
    // Nearly all are tags and lengths of one byte.
    let byte = this.#byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      byte = this.#byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new Error('a number has no end');
  }

  uint64(): number {
    return this.#long(false);
  }

  int64(): number {
    return this.#long(true);
  }

  double(): number {
    const from = this.at;
    this.#forward(8);
    return this.bytes.readDoubleLE(from);
  }

  /** What is no UTF-8 becomes U+FFFD. */
  text(): string {
    const end = this.delimited();
    const text = this.bytes.toString('utf8', this.at, end);
    this.at = end;
    return text;
  }

  /** Reads a message within this one: `field` takes each of its fields, by its tag, or says that it did not. */
  message(field: (tag: number) => boolean): void {
    this.within(this.delimited(), field);
  }

  /** The same, where its length is read already. */
  within(end: number, field: (tag: number) => boolean): void {
    const outer = this.#end;
    this.#end = end;
    for (let tag = this.tag(); tag !== 0; tag = this.tag()) if (!field(tag)) this.skip(tag);
    this.#end = outer;
  }

  /** An entry of a map of texts that the map is wanted for; others are passed over. */
  entry<T>(wanted: (key: string) => boolean, read: () => T, take: (key: string, value: T) => void): void {
    let key = '';
    let value: { readonly of: T } | undefined;
    this.message((tag) => {
      if (tag === 0x0a) key = this.text();
      // Every library writes the key first.
      else if (tag === 0x12 && wanted(key)) value = { of: read() };
      else return false;
      return true;
    });
    if (value !== undefined) take(key, value.of);
  }

  /** Where what is written with its length ends; it begins where the reader is then. */
  delimited(): number {
    const length = this.uint32();
    const end = this.at + length;
    if (end > this.#end) throw new Error('the message is cut off');
    return end;
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.uint32();
        return;
      case 1:
        return this.#forward(8);
      case 2:
        this.at = this.delimited();
        return;
      case 5:
        return this.#forward(4);
      default:
        throw new Error('groups are not taken');
    }
  }

  #long(signed: boolean): number {
    let [low, high] = [0, 0];
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      const part = byte & 0x7f;
      if (shift < 32) low |= part << shift;
      if (shift === 28) high = part >>> 4;
      else if (shift > 28) high |= part << (shift - 32);
      if (byte < 0x80) return (signed ? high | 0 : high >>> 0) * 0x1_0000_0000 + (low >>> 0);
    }
    throw new Error('a number has no end');
  }

  #byte(): number {
    if (this.at >= this.#end) throw new Error('the message is cut off');
    return this.bytes[this.at++] ?? 0;
  }

  #forward(count: number): void {
    if (count > this.#end - this.at) throw new Error('the message is cut off');
    this.at += count;
  }
}
