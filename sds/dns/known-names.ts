import type { Timers } from '../clock.ts';

/** What the mesh says of names, as far as anybody asked. */
export interface NameSource {
  /** Follows a name from now on, or no longer. */
  follow(names: readonly string[]): void;
  drop(names: readonly string[]): void;
  /** Whether an answer is to be expected soon. */
  readonly live: boolean;
}

type Said = { readonly addresses: readonly string[] | undefined };

interface Entry {
  said: Said | undefined;
  readonly waiting: Set<(said: Said | undefined) => void>;
}

/** Applications that ask for more names than this have old ones forgotten. */
const MOST = 4_000;
/** A control plane answers within a few milliseconds; an application must not wait for one that is slow. */
const WAIT_MS = 250;

/** The names that were asked for and what the mesh last said of each; what was said stays while nobody can be asked. */
export class KnownNames {
  readonly #timers: Timers;
  readonly #entries = new Map<string, Entry>();
  #source: NameSource | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Whom to ask; it is told of all names at once. */
  askFrom(source: NameSource): void {
    this.#source = source;
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  said(name: string, addresses: readonly string[] | undefined): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const said = { addresses };
    entry.said = said;
    for (const resolve of [...entry.waiting]) resolve(said);
  }

  /** What was said of a name before; nobody is asked. */
  saidOf(name: string): readonly string[] | undefined {
    return this.#entries.get(name)?.said?.addresses;
  }

  /** The mesh's addresses of a name; undefined: it has none, or cannot be asked. */
  async addressesOf(name: string): Promise<readonly string[] | undefined> {
    const known = this.#entries.get(name) ?? this.#add(name);
    // The last asked for is the last to be forgotten.
    this.#entries.delete(name);
    this.#entries.set(name, known);
    if (known.said !== undefined) return known.said.addresses;
    if (this.#source?.live !== true) return undefined;
    const said = await new Promise<Said | undefined>((resolve) => {
      const done = (value: Said | undefined): void => {
        cancel();
        known.waiting.delete(done);
        resolve(value);
      };
      const cancel = this.#timers.after(WAIT_MS, () => done(undefined));
      known.waiting.add(done);
    });
    return said?.addresses;
  }

  #add(name: string): Entry {
    const entry: Entry = { said: undefined, waiting: new Set() };
    this.#entries.set(name, entry);
    const [oldest] = this.#entries.size > MOST ? this.#entries.keys() : [];
    if (oldest !== undefined) {
      this.#entries.delete(oldest);
      this.#source?.drop([oldest]);
    }
    this.#source?.follow([name]);
    return entry;
  }
}
