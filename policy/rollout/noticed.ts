import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import type { Configured } from './evidence.ts';
import { isOwn } from './objects.ts';

/** The stage that the rollout's objects come to that are there, whoever wrote them. */
export function stageThere(rollout: Pick<NamespaceRollout, 'meta'>, configured: Configured): Stage {
  const own = (policy: Pick<AuthorizationPolicy, 'meta'>): boolean => isOwn(policy, rollout);
  const policies = configured.authorizationPolicies.filter(own);
  const closing = policies.find(({ meta }) => meta.name === 'rollout-allow-nothing');
  if (closing !== undefined) return closing.dryRun ? 'dry-run' : 'enforce';
  if (policies.length > 0) return 'dry-run';
  const strict = configured.peerAuthentications
    .filter(own)
    .some(({ selector, mode }) => mode === 'STRICT' && Object.keys(selector).length === 0);
  return strict ? 'strict' : 'observe';
}
