import type { Condition } from '../../mesh/model/authorization-policy.ts';
import { type Truth, both, either, negate } from './truth.ts';

/** One condition of a rule, decided, and in words. */
export interface Check {
  readonly truth: Truth;
  readonly why: string;
}

/** Conditions decided together: how many hold before the first that does not, and what that one says. */
export interface Finding {
  readonly truth: Truth;
  readonly met: number;
  readonly why: string;
}

function listed(values: readonly unknown[]): string {
  const shown = values.slice(0, 4).map(String).join(', ');
  return values.length > 4 ? `${shown}, … (${values.length})` : shown;
}

/**
 * The checks of a field that lists values of which one must match (`name`) and values of which none may (`notName`).
 * @param actual what the request has, for people
 */
export function checksOf<T>(
  name: string,
  field: Condition<T>,
  actual: string,
  show: (value: T) => unknown,
  matches: (value: T) => Truth,
): readonly Check[] {
  const checks: Check[] = [];
  if (field.values.length > 0) {
    const truth = either(field.values.map(matches));
    checks.push({ truth, why: `${name}: ${actual} is not one of ${listed(field.values.map(show))}` });
  }
  if (field.notValues.length > 0) {
    const truth = negate(either(field.notValues.map(matches)));
    const not =
      name.includes('.') || name.includes('[') ? `${name} notValues` : `not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    checks.push({ truth, why: `${not}: ${actual} is one of ${listed(field.notValues.map(show))}` });
  }
  return checks;
}

/** All must hold. */
export function conjunction(checks: readonly Check[]): Finding {
  const truth = both(checks.map((check) => check.truth));
  const broken = checks.find((check) => check.truth === false) ?? checks.find((check) => check.truth === 'unknown');
  return {
    truth,
    met: checks.filter((check) => check.truth === true).length,
    why: broken === undefined ? '' : broken.truth === 'unknown' ? `cannot be decided: ${broken.why}` : broken.why,
  };
}

/** One of these must hold; the one that comes nearest speaks for all. Of none, all is well. */
export function disjunction(findings: readonly Finding[]): Finding {
  const [first, ...others] = findings;
  if (first === undefined) return { truth: true, met: 0, why: '' };
  const rank = ({ truth }: Finding): number => (truth === true ? 2 : truth === 'unknown' ? 1 : 0);
  let best = first;
  for (const found of others) {
    if (rank(found) > rank(best) || (rank(found) === rank(best) && found.met > best.met)) best = found;
  }
  return best;
}
