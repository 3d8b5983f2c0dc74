/**
 * Three-valued, since some things cannot be decided: a field of HTTP on a TCP port, an attribute that is not known, a
 * value that cannot be read. Nothing is ever allowed on `unknown`; see {@link settle}.
 */
export type Truth = true | false | 'unknown';

export function negate(truth: Truth): Truth {
  return truth === 'unknown' ? truth : !truth;
}

/** One of them holds. */
export function either(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes('unknown') ? 'unknown' : false;
}

/** All of them hold. */
export function both(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes('unknown') ? 'unknown' : true;
}

/** Whether a rule counts as matching: in doubt one that allows does not, one that denies does. */
export function settle(truth: Truth, allows: boolean): boolean {
  return truth === 'unknown' ? !allows : truth;
}
