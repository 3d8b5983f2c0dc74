import type { AuthorizationPolicy } from '../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../mesh/model/diagnostic.ts';
import { keyOf } from '../mesh/model/object.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';

function found(policy: AuthorizationPolicy, rest: Pick<Diagnostic, 'severity' | 'message' | 'hint'>): Diagnostic {
  const { meta } = policy;
  return { ...meta.origin, object: `${meta.kind} ${keyOf(meta)}`, field: 'spec.action', code: 'not-yet-applied', ...rest };
}

function ofPolicy(policy: AuthorizationPolicy): readonly Diagnostic[] {
  switch (policy.action) {
    case 'ALLOW':
    case 'DENY':
      return [];
    case 'CUSTOM':
      return [
        found(policy, {
          severity: 'warning',
          message: `the provider ${JSON.stringify(policy.provider ?? '')} is not asked yet; whatever the policy matches is denied`,
          hint: 'use ALLOW and DENY, or remove the policy',
        }),
      ];
    case 'AUDIT':
      return [
        found(policy, {
          severity: 'warning',
          message: 'AUDIT marks nothing yet; it decides nothing either way',
          hint: 'every call is in the access log without it',
        }),
      ];
    default:
      return policy.action satisfies never;
  }
}

/** What of the admitted policies does not do what it says. Nothing of it lets anybody in. */
export function policyDiagnostics(snapshot: Snapshot): readonly Diagnostic[] {
  return snapshot.authorizationPolicies.flatMap(ofPolicy);
}
