import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Facts } from './facts.ts';
import { type Stage, indexOf } from './prepared.ts';
import type { RuleFinding } from './rule.ts';

/** The rule that came nearest to matching. */
export interface Miss {
  readonly policy: AuthorizationPolicy;
  readonly rule: number;
  readonly finding: RuleFinding;
}

/** Of rules that came equally near, the first of the policies as they apply. */
export function nearestMiss(stage: Stage, facts: Facts): Miss | undefined {
  const nearest = indexOf(stage).nearest(facts);
  return nearest && { policy: nearest.policy, rule: nearest.rule.index, finding: nearest.rule.find(facts) };
}
