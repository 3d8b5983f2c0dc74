/** So many responses are remembered as they came; then they are put together. */
const LONGEST = 512;

interface Came {
  readonly names: ReadonlyMap<string, string>;
  readonly gone: readonly string[];
}

/** Names and versions of what a proxy was sent and not told to forget: as it came, for most are never asked about. */
export class Holdings {
  #log: Came[] = [];

  add(names: ReadonlyMap<string, string>, gone: readonly string[]): void {
    if (names.size > 0 || gone.length > 0) this.#log.push({ names, gone });
    if (this.#log.length > LONGEST) this.#log = [{ names: this.versions(), gone: [] }];
  }

  versions(): Map<string, string> {
    const all = new Map<string, string>();
    for (const { names, gone } of this.#log) {
      for (const [name, version] of names) all.set(name, version);
      for (const name of gone) all.delete(name);
    }
    return all;
  }
}
