import { addressAt, slotOf, SLOTS, virtualAddresses } from '../../model/virtual-address.ts';

/** So full, a name that comes or goes may move many others: then all are placed again. */
const CROWDED = SLOTS * 0.8;

/**
 * The virtual addresses of a set of names that changes, as `virtualAddresses` gives them for the whole set. A name that
 * comes or goes can move only names of its own run of taken slots.
 */
export class AddressBook {
  readonly #names = new Map<number, string>();
  readonly #slots = new Map<string, number>();
  #crowded: ReadonlyMap<string, string> | undefined;
  readonly #uses = new Map<string, number>();

  get(name: string): string | undefined {
    if (this.#crowded !== undefined) return this.#crowded.get(name);
    const slot = this.#slots.get(name);
    return slot === undefined ? undefined : addressAt(slot);
  }

  /** @returns the names whose address is another than before, those that are new included */
  change(gone: readonly string[], come: readonly string[]): ReadonlySet<string> {
    const uses = new Map<string, number>();
    for (const name of come) uses.set(name, (uses.get(name) ?? 0) + 1);
    for (const name of gone) uses.set(name, (uses.get(name) ?? 0) - 1);
    const left: string[] = [];
    const added: string[] = [];
    for (const [name, by] of uses) {
      const before = this.#uses.get(name) ?? 0;
      const now = before + by;
      if (now === 0) this.#uses.delete(name);
      else this.#uses.set(name, now);
      if (before > 0 && now === 0) left.push(name);
      if (before === 0 && now > 0) added.push(name);
    }
    if (left.length === 0 && added.length === 0) return new Set();
    if (this.#crowded !== undefined || this.#uses.size > CROWDED) return this.#placeAll();
    const touched = new Map<string, string | undefined>();
    for (const name of left) {
      const slot = this.#slots.get(name);
      if (slot !== undefined) this.#replaced(this.#run(slot), touched, (names) => names.filter((one) => one !== name));
    }
    for (const name of added) this.#replaced(this.#run(slotOf(name)), touched, (names) => [...names, name]);
    return new Set([...touched].filter(([name, before]) => this.get(name) !== before).map(([name]) => name));
  }

  /** The taken slots around one, without a gap. */
  #run(slot: number): readonly number[] {
    if (!this.#names.has(slot)) return [];
    const found = [slot];
    for (let at = (slot + SLOTS - 1) % SLOTS; this.#names.has(at) && at !== slot; at = (at + SLOTS - 1) % SLOTS) found.push(at);
    for (let at = (slot + 1) % SLOTS; this.#names.has(at) && at !== slot; at = (at + 1) % SLOTS) found.push(at);
    return found;
  }

  #replaced(
    run: readonly number[],
    touched: Map<string, string | undefined>,
    change: (names: readonly string[]) => string[],
  ): void {
    const names = run.flatMap((slot) => this.#names.get(slot) ?? []);
    const next = change(names);
    for (const name of [...names, ...next]) if (!touched.has(name)) touched.set(name, this.get(name));
    for (const name of names) this.#slots.delete(name);
    for (const slot of run) this.#names.delete(slot);
    for (const name of next.sort()) {
      let slot = slotOf(name);
      while (this.#names.has(slot)) slot = (slot + 1) % SLOTS;
      this.#names.set(slot, name);
      this.#slots.set(name, slot);
    }
  }

  #placeAll(): ReadonlySet<string> {
    const before = new Map([...this.#slots.keys(), ...(this.#crowded?.keys() ?? [])].map((name) => [name, this.get(name)]));
    this.#names.clear();
    this.#slots.clear();
    const all = virtualAddresses(this.#uses.keys());
    this.#crowded = all;
    return new Set([...all.keys(), ...before.keys()].filter((name) => all.get(name) !== before.get(name)));
  }
}
