import type { Condition } from '../../mesh/model/authorization-policy.ts';
import type { Facts } from './facts.ts';
import { type Truth, both, either, negate } from './truth.ts';

/** One condition of a rule, ready to be asked of any request. */
export interface Check {
  /** As a policy has it: `notPaths`, `request.headers[x]`. */
  readonly field: string;
  readonly truth: (facts: Facts) => Truth;
  /** In words, why it does not hold. */
  readonly why: (facts: Facts) => string;
}

/** Conditions of which all must hold: one source, one operation, one entry of `when`. */
export interface Together {
  /** `from[0]`, `to[1]`, `when[0]`. */
  readonly at: string;
  readonly checks: readonly Check[];
}

/** Of these one must hold; of none, all is well. */
export type Alternatives = readonly Together[];

/** A condition that does not hold, and where it stands in its rule. */
export interface Failure {
  /** `from[0]`, `to[1]`, `when[0]`. */
  readonly at: string;
  readonly field: string;
  readonly why: string;
}

/** How far alternatives came: the nearest of them speaks for all. */
export interface Finding {
  readonly truth: Truth;
  readonly met: number;
  readonly of: number;
  readonly failed: Failure | undefined;
}

function listed(values: readonly unknown[]): string {
  const shown = values.slice(0, 4).map(String).join(', ');
  return values.length > 4 ? `${shown}, … (${values.length})` : shown;
}

/**
 * The checks of a field that lists values of which one must match (`name`) and values of which none may (`notName`).
 * @param actual what the request has, for people
 * @param matches whether one of the values matches
 */
export function checksOf<T>(
  name: string,
  field: Condition<T>,
  actual: (facts: Facts) => string,
  show: (value: T) => unknown,
  matches: (values: readonly T[]) => (facts: Facts) => Truth,
): readonly Check[] {
  const { values, notValues } = field;
  const checks: Check[] = [];
  if (values.length > 0) {
    const why = (facts: Facts): string => `${name}: ${actual(facts)} is not one of ${listed(values.map(show))}`;
    checks.push({ field: name, truth: matches(values), why });
  }
  if (notValues.length > 0) {
    const test = matches(notValues);
    const not =
      name.includes('.') || name.includes('[') ? `${name} notValues` : `not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    const why = (facts: Facts): string => `${not}: ${actual(facts)} is one of ${listed(notValues.map(show))}`;
    checks.push({ field: not, truth: (facts) => negate(test(facts)), why });
  }
  return checks;
}

/** A condition that nothing can decide. */
export function undecided(field: string, why: string): Check {
  return { field, truth: () => 'unknown', why: () => why };
}

function together({ checks }: Together, facts: Facts): Truth {
  return both(checks, (check) => check.truth(facts));
}

export function oneHolds(alternatives: Alternatives, facts: Facts): Truth {
  return alternatives.length === 0 ? true : either(alternatives, (one) => together(one, facts));
}

function failureOf({ at, checks }: Together, truths: readonly Truth[], facts: Facts): Failure | undefined {
  const first = truths.includes(false) ? truths.indexOf(false) : truths.indexOf('unknown');
  const broken = checks[first];
  if (broken === undefined) return undefined;
  const why = broken.why(facts);
  return { at, field: broken.field, why: truths[first] === 'unknown' ? `cannot be decided: ${why}` : why };
}

function detail(one: Together, facts: Facts): Finding {
  const truths = one.checks.map((check) => check.truth(facts));
  return {
    truth: both(truths, (truth) => truth),
    met: truths.filter((truth) => truth === true).length,
    of: truths.length,
    // Of many rules the words of one are read.
    get failed() {
      return failureOf(one, truths, facts);
    },
  };
}

function rank({ truth }: Pick<Finding, 'truth'>): number {
  return truth === true ? 2 : truth === 'unknown' ? 1 : 0;
}

/** {@link oneHolds} with the one that comes nearest. */
export function nearestOf(alternatives: Alternatives, facts: Facts): Finding {
  const [best, ...others] = alternatives.map((one) => detail(one, facts));
  if (best === undefined) return { truth: true, met: 0, of: 0, failed: undefined };
  return others.reduce(
    (nearest, one) => (rank(one) > rank(nearest) || (rank(one) === rank(nearest) && one.met > nearest.met) ? one : nearest),
    best,
  );
}

type Nearness = Pick<Finding, 'truth' | 'met'>;

const HOLDS: Nearness = Object.freeze({ truth: true, met: 0 });

function nearness({ checks }: Together, facts: Facts): Nearness {
  let truth: Truth = true;
  let met = 0;
  for (const check of checks) {
    const one = check.truth(facts);
    if (one === true) met += 1;
    else if (truth !== false) truth = one;
  }
  return { truth, met };
}

/** {@link nearestOf} without the words. */
export function nearnessOf(alternatives: Alternatives, facts: Facts): Nearness {
  let best: Nearness | undefined;
  for (const one of alternatives) {
    const found = nearness(one, facts);
    if (best === undefined || rank(found) > rank(best) || (rank(found) === rank(best) && found.met > best.met)) best = found;
  }
  return best ?? HOLDS;
}
