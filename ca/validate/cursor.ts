/** Reads DER front to back, without an object for each element. Shares nothing with ca/der, whose writer it checks. */
export class Cursor {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  /** Goes into an element with that tag and gives where it ends; -1 when it has another tag, or a length that is not DER's. */
  enter(tag: number): number {
    const [bytes, at] = [this.bytes, this.#at];
    if (bytes[at] !== tag) return -1;
    const [first = 0xff, second = 0, third = 0] = [bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if (first < 0x80) return this.#inside(at + 2, first);
    if (first === 0x81 && second >= 0x80) return this.#inside(at + 3, second);
    if (first === 0x82 && second > 0) return this.#inside(at + 4, second * 256 + third);
    return -1;
  }

  #inside(start: number, length: number): number {
    if (start + length > this.bytes.length) return -1;
    this.#at = start;
    return start + length;
  }

  /** Passes over exactly these bytes; false, and nowhere, when others are there. */
  pass(expected: Uint8Array): boolean {
    const [bytes, at] = [this.bytes, this.#at];
    for (let index = 0; index < expected.length; index++) if (bytes[at + index] !== expected[index]) return false;
    this.#at = at + expected.length;
    return true;
  }

  /** As `pass`, for the contents of an IA5String. */
  passText(expected: string): boolean {
    const [bytes, at] = [this.bytes, this.#at];
    for (let index = 0; index < expected.length; index++) if (bytes[at + index] !== expected.charCodeAt(index)) return false;
    this.#at = at + expected.length;
    return true;
  }

  /** The bytes up to there. */
  take(end: number): Uint8Array {
    const taken = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
