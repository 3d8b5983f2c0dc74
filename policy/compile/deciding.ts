import { create } from '@bufbuild/protobuf';
import { type Policy, type RBAC, RBACSchema, RBAC_Action } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { askingsOf, isCustom, unaskableOf } from './custom/applying.ts';
import { UNSETTLED, unsettledPolicy } from './custom/marking.ts';
import type { Layer } from './field.ts';
import { PEER_GUARD, peerGuard } from './peer.ts';
import { REVOKED, revokedPolicy } from './revoked.ts';
import { rulesOf, type Side } from './side.ts';
import type { CompiledRule } from './test.ts';
import { written } from './written.ts';

export function rbac(rules: readonly CompiledRule[], side: Side): RBAC {
  const policies: Record<string, Policy> = {};
  for (const rule of rules) policies[rule.name] = written(rule);
  return create(RBACSchema, { action: side === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW, policies });
}

/** What decides over one workload, or over all to which the same policies apply. */
export interface Deciding {
  readonly policies: readonly AuthorizationPolicy[];
  readonly meshConfig: MeshConfig;
  readonly revoked: RevokedPeers;
}

const inForce = ({ dryRun }: AuthorizationPolicy): boolean => !dryRun;
const dry = ({ dryRun }: AuthorizationPolicy): boolean => dryRun;

/** What refuses whatever DENY policies say, and where there are none: see {@link UNSETTLED}, {@link REVOKED}. */
function always({ policies, meshConfig, revoked }: Deciding, layer: Layer): Record<string, Policy> {
  const asked = askingsOf(policies, meshConfig, layer);
  // On TCP, revoked identities have a filter of their own.
  const revocation = revokedPolicy(layer === 'http' ? revoked : { ...revoked, identities: [] });
  return {
    ...(revocation === undefined ? {} : { [REVOKED]: revocation }),
    ...(asked.length === 0 ? {} : { [UNSETTLED]: unsettledPolicy(asked, layer) }),
  };
}

/** What the DENY filter enforces, and what it only notes (dry run). Undefined: nothing of that kind applies. */
export interface Refusing {
  readonly enforced: RBAC | undefined;
  readonly shadow: RBAC | undefined;
}

/** DENY. Of CUSTOM, only the rules for which there is nobody to ask. */
export function denying(deciding: Deciding, layer: Layer): Refusing {
  const { policies, meshConfig } = deciding;
  const refusing = policies.filter(({ action }) => action === 'DENY');
  const [enforced, shadow] = [refusing.filter(inForce), refusing.filter(dry)];
  const unasked = unaskableOf(policies, meshConfig, layer);
  const other = always(deciding, layer);
  const rules = rbac([...unasked, ...rulesOf(enforced, 'deny', layer, meshConfig)], 'deny');
  Object.assign(rules.policies, other);
  const empty = enforced.length + policies.filter(isCustom).length + Object.keys(other).length === 0;
  // Each filter refuses by itself whoever is in doubt: a proxy may get a new one a moment before the other.
  if (!empty) rules.policies[PEER_GUARD] = peerGuard();
  return {
    enforced: empty ? undefined : rules,
    shadow: shadow.length === 0 ? undefined : rbac(rulesOf(shadow, 'deny', layer, meshConfig), 'deny'),
  };
}

/** What the ALLOW filter enforces, and what it only notes (dry run). Undefined: no such policy applies, so nothing is denied by default. */
export interface Granting {
  readonly enforced: readonly CompiledRule[] | undefined;
  readonly shadow: readonly CompiledRule[] | undefined;
}

/** ALLOW. A dry run adds shadow rules only, and so no implicit denial. */
export function allowing({ policies, meshConfig }: Deciding, layer: Layer): Granting {
  const granting = policies.filter(({ action }) => action === 'ALLOW');
  const some = (chosen: readonly AuthorizationPolicy[]): readonly CompiledRule[] | undefined =>
    chosen.length === 0 ? undefined : rulesOf(chosen, 'allow', layer, meshConfig);
  return { enforced: some(granting.filter(inForce)), shadow: some(granting.filter(dry)) };
}

/** The fields of a filter's configuration that hold a dry run, HTTP or TCP. */
export function shadowOf(side: Side, shadow: RBAC | undefined) {
  return shadow === undefined ? {} : { shadowRules: shadow, shadowRulesStatPrefix: `istio_dry_run_${side}_` };
}
