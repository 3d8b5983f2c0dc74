import type { Diagnostic } from '../../model/diagnostic.ts';
import type { Admitted } from '../mesh-object.ts';
import type { Reference } from '../reference.ts';
import type { ListChanges, Lists } from '../store/lists.ts';
import type { Finding } from './finding.ts';
import { Known } from './known.ts';
import { checkReference } from './references.ts';

interface Checked {
  readonly on: ReadonlySet<string>;
  readonly found: readonly { readonly reference: Reference; readonly finding: Finding }[];
}

const NONE: ReadonlyMap<string, readonly Diagnostic[]> = new Map();

/** What objects say about others, checked again only where the answer may be another. */
export class ReferenceChecks {
  readonly #known: Known;
  readonly #checked = new Map<string, Checked>();
  /** Which objects looked something up. */
  readonly #watchers = new Map<string, Set<string>>();
  /** Objects with findings, by file. */
  readonly #files = new Map<string, Set<string>>();
  #diagnostics = NONE;

  constructor(lists: Lists) {
    this.#known = new Known(lists);
  }

  /** All findings by file, those of one file by line. */
  get diagnostics(): ReadonlyMap<string, readonly Diagnostic[]> {
    return this.#diagnostics;
  }

  /**
   * @param before objects that were replaced or removed
   * @param after those that came, some of them perhaps only moved
   */
  patch(
    changes: ListChanges,
    otherGateways: ReadonlySet<string>,
    before: ReadonlyMap<string, Admitted>,
    after: ReadonlyMap<string, Admitted>,
    objects: ReadonlyMap<string, Admitted>,
  ): void {
    const touched = this.#known.patch(changes, otherGateways);
    const open = new Set<string>();
    for (const dependency of touched) for (const key of this.#watchers.get(dependency) ?? []) open.add(key);
    const files = new Set<string>();
    for (const [key, last] of before) {
      const next = after.get(key);
      if (this.#files.get(last.file)?.has(key) === true) files.add(last.file);
      if (next?.file !== last.file) this.#unlist(last.file, key);
      if (next === undefined) this.#forget(key);
      else if (next.references !== last.references || next.object !== last.object) open.add(key);
      else if (this.#checked.get(key) !== undefined) this.#list(next, files);
    }
    for (const key of after.keys()) if (!before.has(key)) open.add(key);
    for (const key of open) {
      const object = objects.get(key);
      if (object !== undefined) this.#check(object, files);
    }
    this.#write(files, objects);
  }

  #check(object: Admitted, files: Set<string>): void {
    const { key } = object;
    this.#forget(key);
    if (object.references.length > 0) {
      const { result, on } = this.#known.watch(() =>
        object.references.flatMap((reference) => {
          const finding = checkReference(reference, object, this.#known);
          return finding === undefined ? [] : [{ reference, finding }];
        }),
      );
      this.#checked.set(key, { on, found: result });
      for (const dependency of on) {
        const watchers = this.#watchers.get(dependency);
        if (watchers === undefined) this.#watchers.set(dependency, new Set([key]));
        else watchers.add(key);
      }
    }
    this.#list(object, files);
  }

  #forget(key: string): void {
    const checked = this.#checked.get(key);
    if (checked === undefined) return;
    this.#checked.delete(key);
    for (const dependency of checked.on) {
      const watchers = this.#watchers.get(dependency);
      watchers?.delete(key);
      if (watchers?.size === 0) this.#watchers.delete(dependency);
    }
  }

  /** Notes whether an object's file has findings because of it. */
  #list({ key, file }: Admitted, files: Set<string>): void {
    const listed = this.#files.get(file);
    if ((this.#checked.get(key)?.found ?? []).length === 0) {
      if (listed?.has(key) === true) files.add(file);
      this.#unlist(file, key);
      return;
    }
    files.add(file);
    if (listed === undefined) this.#files.set(file, new Set([key]));
    else listed.add(key);
  }

  #unlist(file: string, key: string): void {
    const listed = this.#files.get(file);
    listed?.delete(key);
    if (listed?.size === 0) this.#files.delete(file);
  }

  #write(files: ReadonlySet<string>, objects: ReadonlyMap<string, Admitted>): void {
    if (files.size === 0) return;
    const all = new Map(this.#diagnostics);
    for (const file of files) {
      const listed = [...(this.#files.get(file) ?? [])].sort().flatMap((key) => {
        const object = objects.get(key);
        return object === undefined ? [] : this.#diagnosticsOf(object);
      });
      if (listed.length === 0) all.delete(file);
      else all.set(file, Object.freeze(listed.sort((one, other) => one.line - other.line)));
    }
    this.#diagnostics = all;
  }

  #diagnosticsOf(object: Admitted): readonly Diagnostic[] {
    return (this.#checked.get(object.key)?.found ?? []).map(({ reference, finding }) => ({
      file: object.file,
      line: reference.line + object.offset,
      object: object.key,
      field: reference.path,
      ...finding,
    }));
  }
}
