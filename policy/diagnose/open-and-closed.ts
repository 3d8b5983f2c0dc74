import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { listsOf } from './fields.ts';
import { finding } from './finding.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import { someOf, type Survey } from './survey.ts';

function inForce(policy: AuthorizationPolicy, action: 'ALLOW' | 'DENY'): boolean {
  return policy.action === action && !policy.dryRun;
}

function closed(
  survey: Survey,
  policy: AuthorizationPolicy,
  closedOf: (targets: readonly Workload[]) => readonly Workload[],
): readonly Diagnostic[] {
  if (policy.rules.length > 0) return [];
  const targets = survey.targets(policy);
  const shut = closedOf(targets);
  if (shut.length === 0) return [];
  const all = shut.length === targets.length;
  return [
    finding(
      policy.meta,
      'spec',
      all ? 'warning' : 'info',
      'nobody-allowed',
      `denies every request to ${someOf(shut)}: this policy allows nothing, and no other ALLOW policy that applies there has a rule`,
      'add an ALLOW policy with rules for them',
    ),
  ];
}

function opened(survey: Survey, policy: AuthorizationPolicy): readonly Diagnostic[] {
  return policy.rules.flatMap((rule, at) => {
    if (rule.from.length + rule.to.length + rule.when.length > 0) return [];
    const targets = survey.targets(policy);
    const where = targets.length === 0 ? '' : ` to ${someOf(targets)}`;
    return [
      finding(
        policy.meta,
        `spec.rules[${at}]`,
        'info',
        'everybody-allowed',
        `an empty rule allows every request${where}, also in plain text; other ALLOW rules there change nothing`,
        'remove the policy when that is meant (without ALLOW policies all is allowed), or name the callers',
      ),
    ];
  });
}

function byException(policy: AuthorizationPolicy): readonly Diagnostic[] {
  const lists = listsOf(policy);
  return policy.rules.flatMap((_, at) => {
    const own = lists.filter((list) => list.rule === at);
    const [first] = own;
    if (first === undefined || own.some(({ negated }) => !negated)) return [];
    // notPrincipals: ["*"] says in so many words that whoever has no identity is denied.
    if (own.every(({ values }) => values.includes('*'))) return [];
    const names = [...new Set(own.map(({ name }) => name))].join(', ');
    return [
      finding(
        policy.meta,
        first.path,
        'info',
        'denies-all-but',
        `this DENY rule has ${names} and nothing else: whatever is not listed is denied, calls in plain text included`,
        'when only some are meant, name them: methods, paths, principals',
      ),
    ];
  });
}

/** Policies that let nobody in, let everybody in, or deny all but a few. */
export function openAndClosed(survey: Survey): readonly Diagnostic[] {
  const closedOf = remembered((targets: readonly Workload[]): readonly Workload[] =>
    targets.filter(
      (workload) => !survey.policiesOf(workload).some((policy) => inForce(policy, 'ALLOW') && policy.rules.length > 0),
    ),
  );
  return survey.policies.flatMap((policy) => {
    if (inForce(policy, 'ALLOW')) return [...closed(survey, policy, closedOf), ...opened(survey, policy)];
    return inForce(policy, 'DENY') ? byException(policy) : [];
  });
}
