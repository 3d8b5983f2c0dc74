import { hash } from 'node:crypto';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import { authorizingProviders, type ExtAuthzProvider, namedProvider } from '../../../mesh/model/extension-provider.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import { keptBy } from '../../kept.ts';
import type { Layer } from '../field.ts';
import { rulesOf } from '../side.ts';
import type { CompiledRule } from '../test.ts';
import { unaskableRule } from './marks.ts';

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

const customOf = keptBy((policies: readonly AuthorizationPolicy[]) => policies.filter(isCustom));

/** An authorizer over HTTP cannot be asked about bytes; as in Istio, its policies are not about TCP ports then. */
function isAsked(provider: ExtAuthzProvider, layer: Layer): boolean {
  return layer === 'http' || provider.kind === 'ext-authz-grpc';
}

/**
 * Who is asked, by the policies that apply to a workload, in the order of asking. A provider that MeshConfig names is here also while its
 * Service is not in the mesh: what is marked is then denied by the filter that asks.
 */
export function askingsOf(policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig, layer: Layer): readonly Asking[] {
  const custom = customOf(policies);
  if (custom.length === 0) return [];
  return authorizingProviders(meshConfig).flatMap((provider) => {
    const own = custom.filter((policy) => policy.provider === provider.name);
    if (own.length === 0 || !isAsked(provider, layer)) return [];
    const rules = rulesOf(own, 'deny', layer, meshConfig);
    return [{ provider, rules, edition: `custom-${hash('sha256', JSON.stringify(rules), 'hex').slice(0, 32)}` }];
  });
}

/**
 * The rules for which there is nobody to ask, since MeshConfig names no such authorizer: what they match is denied. Their names are
 * Istio's, and come before those of DENY rules.
 */
export function unaskableOf(
  policies: readonly AuthorizationPolicy[],
  meshConfig: MeshConfig,
  layer: Layer,
): readonly CompiledRule[] {
  return customOf(policies).flatMap((policy) => {
    const { kind } = namedProvider(meshConfig, policy.provider);
    if (kind === 'ext-authz-http' || kind === 'ext-authz-grpc') return [];
    const rules = rulesOf([policy], 'deny', layer, meshConfig);
    return rules.map((rule) => ({ ...rule, name: unaskableRule(policy.provider ?? '', rule.name) }));
  });
}
