import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { type List, listsOf } from './fields.ts';
import { requestAuthenticationsFor } from '../request-authentication/applying.ts';
import { finding } from './finding.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import { someOf, type Survey } from './survey.ts';

function asksForToken({ attribute, name }: List): boolean {
  return attribute === 'requestPrincipals' || name.startsWith('request.auth.');
}

/** Policies that ask for a token at workloads where none is ever verified. */
export function unverifiedTokens(survey: Survey): readonly Diagnostic[] {
  const blindOf = remembered((targets: readonly Workload[]) =>
    targets.filter((one) => requestAuthenticationsFor(survey.snapshot, one).length === 0),
  );
  return survey.policies.flatMap((policy) => {
    if (policy.action !== 'ALLOW' && policy.action !== 'DENY') return [];
    const asking = listsOf(policy).filter(asksForToken);
    const blind = asking.length === 0 ? [] : blindOf(survey.targets(policy));
    if (blind.length === 0) return [];
    const [first] = asking;
    if (first === undefined) return [];
    const allows = policy.action === 'ALLOW';
    const effect =
      first.negated === allows
        ? first.negated
          ? `${first.name} holds for every call`
          : `${first.name} never matches, so the rule denies nothing`
        : first.negated
          ? `${first.name} holds for every call, so the rule denies whatever its other fields match`
          : `${first.name} never matches, so the rule lets nobody in`;
    return [
      finding(
        policy.meta,
        first.path,
        'warning',
        'token-never-verified',
        `no RequestAuthentication applies to ${someOf(blind)}: ${effect}`,
        'add a RequestAuthentication with the issuer for these workloads',
      ),
    ];
  });
}
