/**
 * Remembers what was made from an object together with other inputs, for as long as the object lives. Inputs are compared
 * by identity: what did not change between two snapshots is the same object in both, so what depends on it alone is made
 * once for all proxies and all snapshots.
 */
export interface Kept<Owner extends object, Made> {
  get(owner: Owner, inputs: readonly unknown[], make: () => Made): Made;
}

interface Variant<Made> {
  readonly inputs: readonly unknown[];
  readonly made: Made;
  used: number;
}

let age = 0;

/** What nobody asks for from now on until this was called twice may be forgotten when something new is made of its owner. */
export function growOlder(): void {
  age += 1;
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

/** @param variants how many sets of inputs are remembered for one owner; the oldest goes first */
export function kept<Owner extends object, Made>(variants: number): Kept<Owner, Made> {
  const memory = new WeakMap<Owner, Variant<Made>[]>();
  return {
    get(owner, inputs, make) {
      const known = memory.get(owner);
      const found = known?.find((variant) => same(variant.inputs, inputs));
      if (found !== undefined) {
        found.used = age;
        return found.made;
      }
      const made = make();
      const young = known?.filter(({ used }) => used >= age - 1) ?? [];
      memory.set(owner, [...young.slice(-(variants - 1)), { inputs, made, used: age }]);
      return made;
    },
  };
}
