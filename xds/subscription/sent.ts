import { changedNames, NO_RESOURCES } from '../resource-set.ts';
import type { Resources } from '../resource-set.ts';
import type { BroughtVersions } from './event.ts';
import { type Interest, NO_INTEREST, wants } from './interest.ts';

/** Anything with a version; encoded resources are shared here by reference. */
export interface Versioned {
  readonly version: string;
}

/** Told to the client: this resource does not exist. */
export const ABSENT: Versioned = Object.freeze({ version: '' });

type Exceptions = ReadonlyMap<string, Versioned | undefined>;
const NONE: Exceptions = new Map();

/** What streams that were told all of a map hold, by the map and their interest; and the same under another interest. */
const toldAll = new WeakMap<Resources, WeakMap<Interest, Sent>>();

/**
 * What a client holds, or will hold once it accepts what is under way: name -> version. Immutable. Not a list of its own but the resource
 * set's map that it was compared with last, as far as it is interested, and the few names for which that is not so (yet). So a stream costs
 * the same memory whatever the mesh's size, and a comparison what differs.
 */
export class Sent {
  readonly #map: Resources;
  readonly #interest: Interest;
  /** What the client has of these instead; undefined: it was told nothing. */
  readonly #exceptions: Exceptions;
  #amended: WeakMap<Interest, Sent> | undefined;

  private constructor(map: Resources, interest: Interest, exceptions: Exceptions) {
    this.#map = map;
    this.#interest = interest;
    this.#exceptions = exceptions;
  }

  static get NOTHING(): Sent {
    return NOTHING;
  }

  /** What a client brings along from an earlier stream, name -> version. */
  static brought(current: Resources, interest: Interest, versions: BroughtVersions): Sent {
    if (versions.size === 0) return Sent.NOTHING;
    const exceptions = new Map<string, Versioned | undefined>();
    const { names } = interest;
    const all = interest.wildcard !== 'none';
    let [found, named] = [0, 0];
    versions.forEach((version, name) => {
      const byName = names.size > 0 && names.has(name);
      if (byName) named += 1;
      if (!all && !byName) return;
      const there = current.get(name);
      if (there !== undefined) found += 1;
      if (there?.version !== version) exceptions.set(name, { version });
      else if (exceptions.size > 0) exceptions.delete(name);
    });
    // Nearly always the client brings all there is, and nothing has to be looked for from the other side.
    if ((!all || found === current.size) && named === names.size) return new Sent(current, interest, exceptions);
    const brought = new Set<string>();
    versions.forEach((_, name) => brought.add(name));
    if (all) for (const name of current.keys()) if (!brought.has(name)) exceptions.set(name, undefined);
    for (const name of names) if (!brought.has(name)) exceptions.set(name, undefined);
    return new Sent(current, interest, exceptions);
  }

  static none(): Sent {
    return new Sent(NO_RESOURCES, NO_INTEREST, NONE);
  }

  static allOf(current: Resources, interest: Interest): Sent {
    let byInterest = toldAll.get(current);
    if (byInterest === undefined) toldAll.set(current, (byInterest = new WeakMap()));
    const known = byInterest.get(interest) ?? new Sent(current, interest, NONE);
    byInterest.set(interest, known);
    return known;
  }

  get(name: string): Versioned | undefined {
    if (this.#exceptions.has(name)) return this.#exceptions.get(name);
    if (!wants(this.#interest, name)) return undefined;
    return this.#map.get(name) ?? (this.#interest.names.has(name) ? ABSENT : undefined);
  }

  /** All of a map, and nothing else, is what the client has. */
  isAllOf(current: Resources): boolean {
    return this.#map === current && this.#exceptions.size === 0 && this !== Sent.NOTHING;
  }

  /** The names of which the client may have something else than what is in a map. */
  *unlike(current: Resources, interest: Interest): Generator<string> {
    if (this !== Sent.NOTHING) {
      for (const name of changedNames(this.#map, current)) if (!this.#exceptions.has(name)) yield name;
      yield* this.#exceptions.keys();
      return;
    }
    if (interest.wildcard !== 'none') yield* current.keys();
    for (const name of interest.names) if (interest.wildcard === 'none' || !current.has(name)) yield name;
  }

  /** After the client was told all of `current` that it wants, save `left`. */
  told(current: Resources, interest: Interest, left: readonly string[]): Sent {
    if (left.length === 0) return this.isAllOf(current) && this.#interest === interest ? this : Sent.allOf(current, interest);
    return new Sent(current, interest, new Map(left.map((name) => [name, this.get(name)])));
  }

  /** Under another interest. What it no longer covers is forgotten, and what it now covers too was not told before. */
  amended(interest: Interest, asked: readonly string[]): Sent {
    const before = this.#interest;
    if (this === Sent.NOTHING || interest === before) return this;
    // By name before and after, what is new of `asked` follows from the two.
    if (interest.wildcard !== 'none' || before.wildcard !== 'none') return this.#under(interest, asked);
    this.#amended ??= new WeakMap();
    const known = this.#amended.get(interest) ?? this.#under(interest, asked);
    this.#amended.set(interest, known);
    return known;
  }

  #under(interest: Interest, asked: readonly string[]): Sent {
    const before = this.#interest;
    const exceptions = new Map<string, Versioned | undefined>();
    for (const [name, value] of this.#exceptions) if (wants(interest, name)) exceptions.set(name, value);
    if (interest.wildcard !== 'none' && before.wildcard === 'none')
      for (const name of this.#map.keys()) if (!before.names.has(name)) exceptions.set(name, undefined);
    for (const name of asked)
      if (!before.names.has(name) && !exceptions.has(name) && (before.wildcard === 'none' || !this.#map.has(name)))
        exceptions.set(name, undefined);
    return new Sent(this.#map, interest, exceptions.size === 0 ? NONE : exceptions);
  }
}

// Not a static field, for the reason that names.ts has.
const NOTHING = Sent.none();
