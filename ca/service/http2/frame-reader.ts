import { type Frame, HEADER, LARGEST_PAYLOAD } from './frame.ts';

const NOTHING = Buffer.alloc(0);

/** Cuts what arrives into frames. Keeps less than one frame, and gives views of what it was given, not copies. */
export class FrameReader {
  #bytes: Buffer = NOTHING;
  #at = 0;

  push(chunk: Buffer): void {
    this.#bytes = this.#at === this.#bytes.length ? chunk : Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** Whether what came begins with these bytes, which are taken then; undefined while too little has come to say. */
  begins(preface: Buffer): boolean | undefined {
    const had = this.#bytes.subarray(this.#at, this.#at + preface.length);
    if (!had.equals(preface.subarray(0, had.length))) return false;
    if (had.length < preface.length) return undefined;
    this.#at += preface.length;
    return true;
  }

  /** The next frame that is there whole; one that says it is longer than allowed is told as soon as it says so. */
  next(): Frame | 'too large' | undefined {
    const [bytes, at] = [this.#bytes, this.#at];
    // A connection that waits keeps nothing.
    if (at === bytes.length) [this.#bytes, this.#at] = [NOTHING, 0];
    if (bytes.length - at < HEADER) return undefined;
    const length = bytes.readUIntBE(at, 3);
    if (length > LARGEST_PAYLOAD) return 'too large';
    const end = at + HEADER + length;
    if (bytes.length < end) return undefined;
    this.#at = end;
    return {
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
      payload: bytes.subarray(at + HEADER, end),
    };
  }

  /** Takes what has not been read. */
  rest(): Buffer {
    const rest = this.#bytes.subarray(this.#at);
    this.#at = this.#bytes.length;
    return rest;
  }
}
