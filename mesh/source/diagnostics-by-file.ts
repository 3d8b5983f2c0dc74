import { isDeepStrictEqual } from 'node:util';
import type { Diagnostic } from '../model/diagnostic.ts';

const NONE: readonly Diagnostic[] = Object.freeze([]);

/** What is wrong, by file and within one by line: the same list as long as nothing changes. */
export class DiagnosticsByFile {
  readonly #files = new Map<string, readonly Diagnostic[]>();
  #order: readonly string[] | undefined;
  #all: readonly Diagnostic[] | undefined = NONE;

  set(file: string, found: readonly Diagnostic[]): void {
    const before = this.#files.get(file);
    if (before === undefined && found.length === 0) return;
    const now = found.toSorted((one, other) => one.line - other.line);
    if (before !== undefined && isDeepStrictEqual(before, now)) return;
    this.#all = undefined;
    if (found.length === 0) {
      this.#files.delete(file);
      this.#order = undefined;
      return;
    }
    if (before === undefined) this.#order = undefined;
    this.#files.set(file, now);
  }

  get all(): readonly Diagnostic[] {
    this.#order ??= [...this.#files.keys()].sort();
    return (this.#all ??= Object.freeze(this.#order.flatMap((file) => this.#files.get(file) ?? NONE)));
  }
}
