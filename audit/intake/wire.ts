import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/** google.protobuf.Struct holds itself; no filter of ours nests so deep. */
const DEEPEST = 32;

/** Protobuf's wire format (encoding guide), one field after the other. Every method throws where the bytes are none. */
export class Wire {
  readonly #bytes: Buffer;
  #at = 0;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
  }

  /** The tag of the next field (its number, and its type in the last three bits); 0 at the end of the message. */
  tag(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw new Error('a field has no number');
    return tag;
  }

  /** Of longer numbers the lowest 32 bits. */
  uint32(): number {
    return this.#varint(false, false);
  }

  uint64(): number {
    return this.#varint(true, false);
  }

  int64(): number {
    return this.#varint(true, true);
  }

  #varint(long: boolean, signed: boolean): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw new Error('the message is cut off');
      const byte = this.#bytes[this.#at++] ?? 0;
      const part = byte & 0x7f;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high = part >>> 4;
      } else high |= part << (shift - 32);
      if (byte < 0x80) return long ? (signed ? high | 0 : high >>> 0) * 0x1_0000_0000 + (low >>> 0) : low >>> 0;
    }
    throw new Error('a number has no end');
  }

  /** What is no UTF-8 becomes U+FFFD: one caller's bytes must not cost the records of others. */
  text(): string {
    const end = this.#delimited();
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  /** Reads a message within this one: `field` takes each of its fields, by its tag, or says that it did not. */
  message(field: (tag: number) => boolean): void {
    const [end, outer] = [this.#delimited(), this.#end];
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

  /** google.protobuf.Struct */
  struct(depth = 0): JsonObject {
    if (depth > DEEPEST) throw new Error('a Struct is nested too deep');
    // Keys may be a caller's: none of them is to reach a prototype.
    const fields: JsonObject = Object.assign(Object.create(null));
    this.message((tag) => {
      if (tag !== 0x0a) return false;
      this.entry(
        () => true,
        () => this.#value(depth + 1),
        (key, value) => void (fields[key] = value),
      );
      return true;
    });
    return fields;
  }

  #value(depth: number): JsonValue {
    let value: JsonValue = null;
    this.message((tag) => {
      if (tag === 0x08) {
        this.uint32();
        value = null;
      } else if (tag === 0x11) value = this.#double();
      else if (tag === 0x1a) value = this.text();
      else if (tag === 0x20) value = this.uint32() !== 0;
      else if (tag === 0x2a) value = this.struct(depth);
      else if (tag === 0x32) value = this.#list(depth);
      else return false;
      return true;
    });
    return value;
  }

  #list(depth: number): JsonValue[] {
    if (depth > DEEPEST) throw new Error('a Struct is nested too deep');
    const values: JsonValue[] = [];
    this.message((tag) => {
      if (tag !== 0x0a) return false;
      values.push(this.#value(depth + 1));
      return true;
    });
    return values;
  }

  #double(): number {
    const from = this.#at;
    this.#forward(8);
    return this.#bytes.readDoubleLE(from);
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.uint32();
        return;
      case 1:
        return this.#forward(8);
      case 2:
        this.#at = this.#delimited();
        return;
      case 5:
        return this.#forward(4);
      default:
        throw new Error('groups are not taken');
    }
  }

  /** Where what is written with its length ends. */
  #delimited(): number {
    const length = this.uint32();
    if (length > this.#end - this.#at) throw new Error('the message is cut off');
    return this.#at + length;
  }

  #forward(count: number): void {
    if (count > this.#end - this.#at) throw new Error('the message is cut off');
    this.#at += count;
  }
}
