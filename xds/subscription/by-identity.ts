type Last<Value> = WeakMap<object, Value>;

/**
 * What follows from three things that never change, kept by their identity. Streams that see the same and are told the same hold the same
 * objects, so that a step that one of them has taken costs the others a look.
 */
export class ByIdentity<Value> {
  readonly #kept = new WeakMap<object, WeakMap<object, Last<Value>>>();

  of(one: object, two: object, three: object, make: () => Value): Value {
    let ofOne = this.#kept.get(one);
    if (ofOne === undefined) this.#kept.set(one, (ofOne = new WeakMap()));
    let ofTwo = ofOne.get(two);
    if (ofTwo === undefined) ofOne.set(two, (ofTwo = new WeakMap()));
    const known = ofTwo.get(three);
    if (known !== undefined) return known;
    const made = make();
    ofTwo.set(three, made);
    return made;
  }
}
