import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { keptBy } from '../kept.ts';
import type { Layer } from './field.ts';
import { guarded } from './peer.ts';
import { compileRule } from './rule.ts';
import type { CompiledRule } from './test.ts';

/** Which of the two filters that decide. */
export type Side = 'deny' | 'allow';

function compile(policy: AuthorizationPolicy, side: Side, layer: Layer, meshConfig: MeshConfig): readonly CompiledRule[] {
  const stance = side === 'deny' ? 'refuse' : 'grant';
  const context = { layer, stance, meshConfig, namespace: policy.meta.namespace } as const;
  return policy.rules.flatMap((rule, index) => {
    const found = compileRule(policy, index, rule, context);
    if (found === undefined) return [];
    return [side === 'allow' ? { ...found, source: guarded(found.source) } : found];
  });
}

const of = (side: Side, layer: Layer) =>
  keptBy((policy: AuthorizationPolicy, meshConfig: MeshConfig) => compile(policy, side, layer, meshConfig));

const COMPILED = Object.freeze({
  http: Object.freeze({ deny: of('deny', 'http'), allow: of('allow', 'http') }),
  tcp: Object.freeze({ deny: of('deny', 'tcp'), allow: of('allow', 'tcp') }),
});

/** The rules of policies as one filter decides by them; those that grant are closed to peers in doubt. Each policy is compiled once, whomever it applies to. */
export function rulesOf(
  policies: readonly AuthorizationPolicy[],
  side: Side,
  layer: Layer,
  meshConfig: MeshConfig,
): readonly CompiledRule[] {
  const compiled = COMPILED[layer][side];
  return policies.flatMap((policy) => compiled(policy, meshConfig));
}
