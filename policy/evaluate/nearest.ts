import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Facts } from './facts.ts';
import type { Stage } from './prepared.ts';
import type { RuleFinding } from './rule.ts';

/** The rule that came nearest to matching. */
export interface Miss {
  readonly policy: AuthorizationPolicy;
  readonly rule: number;
  readonly finding: RuleFinding;
}

/** Of rules that came equally near, the first of the policies as they apply. */
export function nearestMiss({ policies }: Stage, facts: Facts): Miss | undefined {
  let nearest: Miss | undefined;
  for (const { policy, rules } of policies) {
    for (const rule of rules) {
      const finding = rule.find(facts);
      if (finding.matches) continue;
      if (nearest === undefined || finding.nearness > nearest.finding.nearness) nearest = { policy, rule: rule.index, finding };
    }
  }
  return nearest;
}
