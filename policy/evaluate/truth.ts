/**
 * Three-valued, since some things cannot be decided: a field of HTTP on a TCP port, an attribute that is not known, a
 * value that cannot be read. Nothing is ever allowed on `unknown`; see {@link settle}.
 */
export type Truth = true | false | 'unknown';

export function negate(truth: Truth): Truth {
  return truth === 'unknown' ? truth : !truth;
}

/** One of them holds. Asks no more than it must. */
export function either<T>(items: readonly T[], decide: (item: T) => Truth): Truth {
  let found: Truth = false;
  for (const item of items) {
    const truth = decide(item);
    if (truth === true) return true;
    if (truth === 'unknown') found = truth;
  }
  return found;
}

/** All of them hold. Asks no more than it must. */
export function both<T>(items: readonly T[], decide: (item: T) => Truth): Truth {
  let found: Truth = true;
  for (const item of items) {
    const truth = decide(item);
    if (truth === false) return false;
    if (truth === 'unknown') found = truth;
  }
  return found;
}

/** Whether a rule counts as matching: in doubt one that allows does not, one that denies does. */
export function settle(truth: Truth, allows: boolean): boolean {
  return truth === 'unknown' ? !allows : truth;
}
