/** From so many names on. */
const WORTH_KEEPING = 8;

/**
 * A set of names, immutable. A proxy asks for endpoints in as many requests as its clusters came in, so adding to the newest set costs what
 * is added: the sets before it share its memory, and see only as many names as they had.
 */
export class Names implements Iterable<string> {
  /** Name → its place. Only ever grows, by the newest of the sets that share it. */
  readonly #places: Map<string, number>;
  readonly size: number;
  /** What came of adding a list: streams that are told the same ask for the same, by lists that they share. */
  #grown: WeakMap<readonly string[], Names> | undefined;
  /** The list that it is of, where it is of one alone. */
  #list: readonly string[] | undefined;

  private constructor(places: Map<string, number>, size: number) {
    this.#places = places;
    this.size = size;
  }

  static get NONE(): Names {
    return NONE;
  }

  static of(names: Iterable<string>): Names {
    const places = new Map<string, number>();
    for (const name of names) if (!places.has(name)) places.set(name, places.size);
    return new Names(places, places.size);
  }

  has(name: string): boolean {
    const place = this.#places.get(name);
    return place !== undefined && place < this.size;
  }

  /** At once, and true only for sure. */
  isOf(names: readonly string[]): boolean {
    return this.#list === names;
  }

  /** In the order in which they were added. */
  *[Symbol.iterator](): Generator<string, undefined, undefined> {
    let left = this.size;
    if (left === 0) return undefined;
    for (const name of this.#places.keys()) {
      yield name;
      if (--left === 0) return undefined;
    }
    return undefined;
  }

  with(names: readonly string[]): Names {
    if (names.length === 0) return this;
    if (names.length < WORTH_KEEPING) return this.#with(names);
    this.#grown ??= new WeakMap();
    const known = this.#grown.get(names) ?? this.#with(names);
    this.#grown.set(names, known);
    return known;
  }

  #with(names: readonly string[]): Names {
    if (this.size === 0) {
      const made = Names.of(names);
      made.#list = names;
      return made;
    }
    const fresh = names.filter((name) => !this.has(name));
    if (fresh.length === 0) return this;
    if (this.#places.size !== this.size) {
      const { size } = this;
      // Another has grown before, and by the same: with hundreds of streams a copy for each would be dear.
      return fresh.every((name, at) => this.#places.get(name) === size + at) && new Set(fresh).size === fresh.length
        ? new Names(this.#places, size + fresh.length)
        : Names.of([...this, ...fresh]);
    }
    for (const name of fresh) if (!this.#places.has(name)) this.#places.set(name, this.#places.size);
    return new Names(this.#places, this.#places.size);
  }

  without(names: readonly string[]): Names {
    if (names.length === 0 || !names.some((name) => this.has(name))) return this;
    const gone = new Set(names);
    return Names.of([...this].filter((name) => !gone.has(name)));
  }
}

// Not a static field: tsc 7.0 compiles one that makes its own class, where there are private methods, to a call of what is not there yet.
const NONE = Names.of([]);
