import type { Admitted } from '../admit/mesh-object.ts';
import { duplicate } from '../admit/snapshot.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { ReadSection } from './sections.ts';

/** Which files have which objects, and which of several with one key counts: the first, in the order of files and within one of lines. */
export class Claims {
  readonly #admitted = new Map<string, readonly Admitted[]>();
  readonly #refused = new Map<string, number>();
  readonly #duplicates = new Map<string, readonly Diagnostic[]>();
  /** Keys that are there twice, by the files that have them. */
  readonly #duplicated = new Map<string, Set<string>>();
  #touched = new Set<string>();

  add(section: ReadSection): void {
    for (const one of section.admitted) {
      this.#touched.add(one.key);
      const others = this.#admitted.get(one.key);
      this.#admitted.set(one.key, others === undefined ? [one] : [...others, one]);
    }
    for (const { key } of section.refused) {
      if (key === undefined) continue;
      this.#touched.add(key);
      this.#refused.set(key, (this.#refused.get(key) ?? 0) + 1);
    }
  }

  remove(section: ReadSection): void {
    for (const one of section.admitted) {
      this.#touched.add(one.key);
      const left = (this.#admitted.get(one.key) ?? []).filter((other) => other !== one);
      if (left.length === 0) this.#admitted.delete(one.key);
      else this.#admitted.set(one.key, left);
    }
    for (const { key } of section.refused) {
      if (key === undefined) continue;
      this.#touched.add(key);
      const left = (this.#refused.get(key) ?? 1) - 1;
      if (left === 0) this.#refused.delete(key);
      else this.#refused.set(key, left);
    }
  }

  /** Has every key looked at again that is there twice, since files may stand in another order. */
  reordered(): void {
    for (const key of this.#duplicates.keys()) this.#touched.add(key);
  }

  /**
   * Settles who has the keys that were touched since the last time.
   * @param rankOf the place of a file among all
   * @param files those whose duplicates may be others are added
   */
  settle(rankOf: (file: string) => number, files: Set<string>): ReadonlySet<string> {
    const touched = this.#touched;
    this.#touched = new Set();
    for (const key of touched) {
      const claims = this.#admitted.get(key);
      const before = this.#duplicates.get(key);
      for (const { file } of before ?? []) {
        files.add(file);
        this.#duplicated.get(file)?.delete(key);
      }
      this.#duplicates.delete(key);
      if (claims === undefined || claims.length < 2) continue;
      const [first, ...others] = claims.toSorted(
        (one, other) => rankOf(one.file) - rankOf(other.file) || one.offset - other.offset || one.line - other.line,
      );
      if (first === undefined) continue;
      this.#admitted.set(key, [first, ...others]);
      this.#duplicates.set(
        key,
        others.map((one) => duplicate(one, first)),
      );
      for (const { file } of others) {
        files.add(file);
        const keys = this.#duplicated.get(file);
        if (keys === undefined) this.#duplicated.set(file, new Set([key]));
        else keys.add(key);
      }
    }
    return touched;
  }

  first(key: string): Admitted | undefined {
    return this.#admitted.get(key)?.[0];
  }

  isRefused(key: string): boolean {
    return this.#refused.has(key);
  }

  duplicatesIn(file: string): readonly Diagnostic[] {
    return [...(this.#duplicated.get(file) ?? [])]
      .sort()
      .flatMap((key) => (this.#duplicates.get(key) ?? []).filter((one) => one.file === file));
  }
}
