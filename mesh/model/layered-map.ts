const FOLD_AT = 256;

/**
 * A map that is never changed, of which cheap changed copies are made: few differences over a base that they share. With thousands of
 * entries and hundreds of holders a copy for each change would cost more than the change. Entries keep their place when their value
 * changes; new ones come last.
 */
export class LayeredMap<K, V> implements ReadonlyMap<K, V> {
  readonly #base: ReadonlyMap<K, V>;
  /** Undefined: not there. */
  readonly #layer: ReadonlyMap<K, V | undefined>;
  readonly size: number;

  private constructor(base: ReadonlyMap<K, V>, layer: ReadonlyMap<K, V | undefined>, size: number) {
    this.#base = base;
    this.#layer = layer;
    this.size = size;
  }

  /** Takes `base` by reference: nobody changes it afterwards. */
  static of<K, V>(base: ReadonlyMap<K, V>): LayeredMap<K, V> {
    return base instanceof LayeredMap ? base : new LayeredMap(base, new Map(), base.size);
  }

  /** `made`, kept as its differences from `similar` where these are few. Order is that of `similar`. */
  static like<K, V>(similar: LayeredMap<K, V> | undefined, made: ReadonlyMap<K, V>): LayeredMap<K, V> {
    if (similar === undefined) return LayeredMap.of(made);
    const base = similar.#base;
    const most = FOLD_AT + base.size / 8;
    const layer = new Map<K, V | undefined>();
    for (const [key, value] of made) {
      if (base.get(key) !== value) layer.set(key, value);
      if (layer.size > most) return LayeredMap.of(made);
    }
    if (made.size < base.size + layer.size) {
      for (const key of base.keys()) if (!made.has(key)) layer.set(key, undefined);
      if (layer.size > most) return LayeredMap.of(made);
    }
    return new LayeredMap(base, layer, made.size);
  }

  get(key: K): V | undefined {
    if (this.#layer.size === 0) return this.#base.get(key);
    const over = this.#layer.get(key);
    return over !== undefined || this.#layer.has(key) ? over : this.#base.get(key);
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** A copy with these entries set, or taken away where the value is undefined; the same map where that changes nothing. */
  with(entries: Iterable<readonly [K, V | undefined]>): LayeredMap<K, V> {
    const changes = new Map<K, V | undefined>();
    let { size } = this;
    for (const [key, value] of entries) {
      const before = changes.has(key) ? changes.get(key) : this.get(key);
      if (before === value) continue;
      if (before === undefined) size += 1;
      else if (value === undefined) size -= 1;
      changes.set(key, value);
    }
    if (changes.size === 0) return this;
    const layer = new Map(this.#layer);
    for (const [key, value] of changes) {
      if (this.#base.get(key) === value) layer.delete(key);
      else layer.set(key, value);
    }
    const made = new LayeredMap(this.#base, layer, size);
    return layer.size > FOLD_AT + this.#base.size / 8 ? LayeredMap.of(new Map(made)) : made;
  }

  /** The keys under which this and an earlier or later form of it may differ; undefined where they share nothing. */
  differing(other: LayeredMap<K, V>): readonly K[] | undefined {
    if (this.#base !== other.#base) return undefined;
    const keys = new Set(this.#layer.keys());
    for (const key of other.#layer.keys()) keys.add(key);
    return [...keys].filter((key) => this.get(key) !== other.get(key));
  }

  /** What this is made of: a map that others share, and what differs from it. */
  parts(): { readonly base: ReadonlyMap<K, V>; readonly layer: ReadonlyMap<K, V | undefined> } {
    return { base: this.#base, layer: this.#layer };
  }

  *entries(): Generator<[K, V], undefined> {
    for (const [key, value] of this.#base) {
      if (!this.#layer.has(key)) yield [key, value];
      else {
        const over = this.#layer.get(key);
        if (over !== undefined) yield [key, over];
      }
    }
    for (const [key, value] of this.#layer) if (value !== undefined && !this.#base.has(key)) yield [key, value];
    return undefined;
  }

  *keys(): Generator<K, undefined> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): Generator<V, undefined> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }
}
