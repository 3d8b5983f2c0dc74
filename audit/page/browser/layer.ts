import { s } from './dom.ts';
import type { Shape } from './shapes.ts';

/** Elements for a list of values: what stays is changed in place, so that focus and styles stay too. */
export class Layer<T> {
  readonly element = s('g');
  readonly #shapes = new Map<string, Shape<T>>();
  readonly #idOf: (one: T) => string;
  readonly #make: (one: T) => Shape<T>;

  constructor(idOf: (one: T) => string, make: (one: T) => Shape<T>) {
    this.#idOf = idOf;
    this.#make = make;
  }

  show(list: readonly T[]): void {
    const wanted = new Set<string>();
    for (const one of list) {
      const id = this.#idOf(one);
      wanted.add(id);
      const known = this.#shapes.get(id);
      const shape = known ?? this.#make(one);
      if (known === undefined) {
        this.#shapes.set(id, shape);
        this.element.append(shape.element);
      }
      shape.update(one);
    }
    for (const [id, { element }] of this.#shapes) {
      if (wanted.has(id)) continue;
      element.remove();
      this.#shapes.delete(id);
    }
  }
}
