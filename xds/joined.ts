import type { EncodedResource, Resources } from './resource-set.ts';

/** Two sets of resources of one type as one: what a proxy shares with others, and its own. No name is in both. */
export class Joined implements ReadonlyMap<string, EncodedResource> {
  readonly shared: Resources;
  readonly own: Resources;
  readonly size: number;

  /** @throws TypeError when a name is in both: a bug in the compiler */
  constructor(shared: Resources, own: Resources) {
    for (const name of own.keys()) if (shared.has(name)) throw new TypeError(`two resources are named ${name}`);
    this.shared = shared;
    this.own = own;
    this.size = shared.size + own.size;
  }

  get(name: string): EncodedResource | undefined {
    return this.own.get(name) ?? this.shared.get(name);
  }

  has(name: string): boolean {
    return this.own.has(name) || this.shared.has(name);
  }

  *entries(): Generator<[string, EncodedResource], undefined> {
    yield* this.shared;
    yield* this.own;
    return undefined;
  }

  *keys(): Generator<string, undefined> {
    yield* this.shared.keys();
    yield* this.own.keys();
    return undefined;
  }

  *values(): Generator<EncodedResource, undefined> {
    yield* this.shared.values();
    yield* this.own.values();
    return undefined;
  }

  [Symbol.iterator](): Generator<[string, EncodedResource], undefined> {
    return this.entries();
  }

  forEach(visit: (value: EncodedResource, key: string, map: Resources) => void): void {
    for (const [name, resource] of this) visit(resource, name, this);
  }
}
