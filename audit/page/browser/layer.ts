import { s } from './dom.ts';
import type { Shape } from './shapes.ts';

/** Elements for a list of values: what stays is changed in place, so that focus and styles stay too. */
export class Layer<T> {
  readonly element = s('g');
  readonly #shapes = new Map<string, { readonly shape: Shape<T>; shown: T | undefined }>();
  readonly #idOf: (one: T) => string;
  readonly #make: (one: T) => Shape<T>;

  constructor(idOf: (one: T) => string, make: (one: T) => Shape<T>) {
    this.#idOf = idOf;
    this.#make = make;
  }

  /** True when elements came or went. Values are never changed in place: the same one is drawn already. */
  show(list: readonly T[]): boolean {
    const wanted = new Set<string>();
    let changed = false;
    for (const one of list) {
      const id = this.#idOf(one);
      wanted.add(id);
      let known = this.#shapes.get(id);
      if (known === undefined) {
        known = { shape: this.#make(one), shown: undefined };
        this.#shapes.set(id, known);
        this.element.append(known.shape.element);
        changed = true;
      }
      if (known.shown === one) continue;
      known.shape.update(one);
      known.shown = one;
    }
    for (const [id, { shape }] of this.#shapes) {
      if (wanted.has(id)) continue;
      shape.element.remove();
      this.#shapes.delete(id);
      changed = true;
    }
    return changed;
  }
}
