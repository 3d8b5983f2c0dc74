/** A shorter list is read in less time than it takes to look for it. */
const WORTH_KEEPING = 256;
/** Of all lists together. */
const MOST_BYTES = 16 << 20;

interface Kept {
  readonly bytes: Buffer;
  readonly list: readonly string[];
}

/**
 * Lists of names that came before, found again by their bytes. The proxies of a mesh ask for the same thousands of names, and in state of the world
 * each does again with each acknowledgement: one list stands for all of these, and what follows from it is kept by its identity.
 */
export class SameLists {
  /** By length and a sample of the bytes; in the order of last use. A list that only looks like another takes its place. */
  readonly #kept = new Map<string, Kept>();
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param read reads the list from the bytes; it is kept and shared, so nobody may change it */
  of(bytes: Buffer, read: () => readonly string[]): readonly string[] {
    if (bytes.length < WORTH_KEEPING || bytes.length > this.#mostBytes / 4) return read();
    const key = sample(bytes);
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      if (known.bytes.equals(bytes)) {
        this.#kept.set(key, known);
        return known.list;
      }
      this.#bytes -= known.bytes.length;
    }
    const list = Object.freeze(read());
    this.#kept.set(key, { bytes: Buffer.from(bytes), list });
    this.#bytes += bytes.length;
    for (const [oldest, { bytes: its }] of this.#kept) {
      if (this.#bytes <= this.#mostBytes) break;
      this.#kept.delete(oldest);
      this.#bytes -= its.length;
    }
    return list;
  }
}

const SAMPLES = 4;
const SAMPLE_BYTES = 24;

function sample(bytes: Buffer): string {
  let key = String(bytes.length);
  const apart = Math.floor((bytes.length - SAMPLE_BYTES) / (SAMPLES - 1));
  for (let index = 0; index < SAMPLES; index += 1) {
    const at = index * apart;
    key += ` ${bytes.toString('latin1', at, at + SAMPLE_BYTES)}`;
  }
  return key;
}
