/** Anything with a version; encoded resources are shared here by reference. */
export interface Versioned {
  readonly version: string;
}

/** Told to the client: this resource does not exist. */
export const ABSENT: Versioned = Object.freeze({ version: '' });

const FOLD_AT = 128;

/**
 * What a client holds, or will hold once it accepts what is under way: name -> version. Immutable, with cheap changes: a
 * shared base (often the resource set's own map, by reference) under a small layer of differences. With thousands of
 * resources and hundreds of streams a copy per change would cost more than the change.
 */
export class Sent {
  readonly #base: ReadonlyMap<string, Versioned>;
  readonly #layer: ReadonlyMap<string, Versioned | undefined>;
  static readonly NOTHING = new Sent(new Map(), new Map());

  private constructor(base: ReadonlyMap<string, Versioned>, layer: ReadonlyMap<string, Versioned | undefined>) {
    this.#base = base;
    this.#layer = layer;
  }

  /** Takes `base` by reference: the caller never changes it afterwards. */
  static of(base: ReadonlyMap<string, Versioned>): Sent {
    return new Sent(base, new Map());
  }

  get(name: string): Versioned | undefined {
    return this.#layer.has(name) ? this.#layer.get(name) : this.#base.get(name);
  }

  /** A copy with these entries set, or forgotten where the value is undefined. */
  with(entries: Iterable<readonly [string, Versioned | undefined]>): Sent {
    const changes = [...entries];
    if (changes.length === 0) return this;
    const layer = new Map([...this.#layer, ...changes]);
    return layer.size < FOLD_AT + this.#base.size / 8
      ? new Sent(this.#base, layer)
      : new Sent(fold(this.#base, layer), new Map());
  }

  *entries(): Generator<readonly [string, Versioned]> {
    for (const entry of this.#base) if (!this.#layer.has(entry[0])) yield entry;
    for (const [name, value] of this.#layer) if (value !== undefined) yield [name, value];
  }
}

function fold(base: ReadonlyMap<string, Versioned>, layer: ReadonlyMap<string, Versioned | undefined>): Map<string, Versioned> {
  const folded = new Map(base);
  for (const [name, value] of layer) {
    if (value === undefined) folded.delete(name);
    else folded.set(name, value);
  }
  return folded;
}
