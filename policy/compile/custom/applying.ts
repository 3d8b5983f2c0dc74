import { hash } from 'node:crypto';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import { authorizingProviders, type ExtAuthzProvider, findProvider } from '../../../mesh/model/extension-provider.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { type SelectedWorkload, policiesFor } from '../../select.ts';
import type { Layer } from '../field.ts';
import { compileRule } from '../rule.ts';
import type { CompiledRule } from '../test.ts';

/** The rules by which one provider is asked about calls to a workload. */
export interface Asking {
  readonly provider: ExtAuthzProvider;
  readonly rules: readonly CompiledRule[];
  /** Tells these rules from any others. */
  readonly edition: string;
}

/** In force: a dry run of a CUSTOM policy asks nobody and denies nothing. */
export function isCustom({ action, dryRun }: AuthorizationPolicy): boolean {
  return action === 'CUSTOM' && !dryRun;
}

/** True when nobody can be asked, so that what the policy matches is denied: MeshConfig names no such authorizer. */
export function asksNobody(snapshot: Snapshot, policy: AuthorizationPolicy): boolean {
  return findProvider(snapshot, policy.provider).kind === 'unknown';
}

/** An authorizer over HTTP cannot be asked about bytes; as in Istio, its policies are not about TCP ports then. */
function isAsked(provider: ExtAuthzProvider, layer: Layer): boolean {
  return layer === 'http' || provider.kind === 'ext-authz-grpc';
}

/**
 * Who is asked about calls to a workload, in the order of asking. A provider that MeshConfig names is here also while its Service is not
 * in the mesh: what is marked is then denied by the filter that asks.
 */
export function askings(snapshot: Snapshot, workload: SelectedWorkload, layer: Layer): readonly Asking[] {
  const policies = policiesFor(snapshot, workload).filter(isCustom);
  if (policies.length === 0) return [];
  return authorizingProviders(snapshot.meshConfig).flatMap((provider) => {
    const own = policies.filter((policy) => policy.provider === provider.name);
    if (own.length === 0 || !isAsked(provider, layer)) return [];
    const rules = own.flatMap((policy) => {
      const context = { layer, stance: 'refuse', meshConfig: snapshot.meshConfig, namespace: policy.meta.namespace } as const;
      return policy.rules.flatMap((rule, index) => compileRule(policy, index, rule, context) ?? []);
    });
    return [{ provider, rules, edition: `custom-${hash('sha256', JSON.stringify(rules), 'hex').slice(0, 32)}` }];
  });
}
