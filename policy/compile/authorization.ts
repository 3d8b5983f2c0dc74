import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Policy, type RBAC, RBACSchema, RBAC_Action } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type SelectedWorkload, policiesFor } from '../select.ts';
import { asksNobody, askings, isCustom } from './custom/applying.ts';
import { UNSETTLED, unsettledPolicy } from './custom/marking.ts';
import type { Layer } from './field.ts';
import { PEER_GUARD, guarded, peerFilter, peerGuard } from './peer.ts';
import { NOBODY, REVOKED, revokedPolicy } from './revoked.ts';
import { compileRule } from './rule.ts';
import type { Stance } from './stance.ts';
import { written } from './written.ts';

type Side = 'deny' | 'allow';

/** What one RBAC filter enforces, and what it only notes (dry run). Undefined: nothing of that kind applies. */
interface Rules {
  readonly side: Side;
  readonly enforced: RBAC | undefined;
  readonly shadow: RBAC | undefined;
}

function rbac(policies: readonly AuthorizationPolicy[], side: Side, layer: Layer, snapshot: Snapshot): RBAC {
  const stance: Stance = side === 'deny' ? 'refuse' : 'grant';
  const compiled: Record<string, Policy> = {};
  for (const policy of policies) {
    const context = { layer, stance, meshConfig: snapshot.meshConfig, namespace: policy.meta.namespace };
    for (const [index, rule] of policy.rules.entries()) {
      const found = compileRule(policy, index, rule, context);
      if (found === undefined) continue;
      compiled[found.name] = written(side === 'allow' ? { ...found, source: guarded(found.source) } : found, layer);
    }
  }
  return create(RBACSchema, { action: side === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW, policies: compiled });
}

/**
 * DENY, then ALLOW, as Istio orders them. CUSTOM asks an authorizer, in filters of its own before these (see custom/); where there is
 * none to ask, what it matches is denied here. AUDIT decides nothing. A dry run adds shadow rules only, and so no implicit denial.
 */
function rulesFor(snapshot: Snapshot, workload: SelectedWorkload, layer: Layer, revoked: RevokedPeers): readonly Rules[] {
  const policies = policiesFor(snapshot, workload);
  const refusing = policies.filter((policy) => policy.action === 'DENY' || (isCustom(policy) && asksNobody(snapshot, policy)));
  const granting = policies.filter(({ action }) => action === 'ALLOW');
  const build = (chosen: readonly AuthorizationPolicy[], side: Side): Rules => {
    const enforced = chosen.filter(({ dryRun }) => !dryRun);
    const shadow = chosen.filter(({ dryRun }) => dryRun);
    return {
      side,
      enforced: enforced.length === 0 ? undefined : rbac(enforced, side, layer, snapshot),
      shadow: shadow.length === 0 ? undefined : rbac(shadow, side, layer, snapshot),
    };
  };
  const asked = layer === 'http' ? askings(snapshot, workload, layer) : [];
  const refused = withPolicy(build(refusing, 'deny'), REVOKED, revokedPolicy(revoked, layer));
  const deny = withPolicy(refused, UNSETTLED, asked.length === 0 ? undefined : unsettledPolicy(asked));
  const allow = build(granting, 'allow');
  // Each filter refuses by itself whoever is in doubt: a proxy may get a new one a moment before the other.
  if (deny.enforced !== undefined) deny.enforced.policies[PEER_GUARD] = peerGuard(layer);
  return [deny, allow];
}

/** Adds what refuses whatever policies say, and where there are none. */
function withPolicy(deny: Rules, name: string, policy: Policy | undefined): Rules {
  if (policy === undefined) return deny;
  const enforced = deny.enforced ?? create(RBACSchema, { action: RBAC_Action.DENY });
  enforced.policies[name] = policy;
  return { ...deny, enforced };
}

function inForce({ enforced, shadow }: Rules): boolean {
  return enforced !== undefined || shadow !== undefined;
}

function shadowPrefix(side: Side): string {
  return `istio_dry_run_${side}_`;
}

/** What the HTTP RBAC filters of a workload hold; undefined for one to which nothing applies. */
export type HttpRbac = { readonly [side in Side]: Any | undefined };

/**
 * The RBAC filters that enforce the AuthorizationPolicies of a workload on HTTP, behind {@link peerFilter}. Decisions are in the dynamic
 * metadata `envoy.filters.http.rbac`; the filter that ran last, which is the one that decided, is what `enforced_*` tells.
 */
export function httpRbac(snapshot: Snapshot, workload: SelectedWorkload, revoked: RevokedPeers = NOBODY): HttpRbac {
  const made: Record<Side, Any | undefined> = { deny: undefined, allow: undefined };
  for (const { side, enforced, shadow } of rulesFor(snapshot, workload, 'http', revoked).filter(inForce)) {
    const config = create(HttpRbacSchema, {
      ...(enforced === undefined ? {} : { rules: enforced }),
      ...(shadow === undefined ? {} : { shadowRules: shadow, shadowRulesStatPrefix: shadowPrefix(side) }),
    });
    made[side] = anyPack(HttpRbacSchema, config);
  }
  return made;
}

/** {@link httpRbac} as filters: the peer's identity, DENY, ALLOW. Their order must be kept. Empty when no policy applies. */
export function httpAuthorization(
  snapshot: Snapshot,
  workload: SelectedWorkload,
  revoked: RevokedPeers = NOBODY,
): readonly HttpFilter[] {
  const made = httpRbac(snapshot, workload, revoked);
  const filters = (['deny', 'allow'] as const).flatMap((side) => {
    const value = made[side];
    if (value === undefined) return [];
    return [create(HttpFilterSchema, { name: `envoy.filters.http.rbac.${side}`, configType: { case: 'typedConfig', value } })];
  });
  return filters.length === 0 ? [] : [peerFilter(), ...filters];
}

/** The network filters that enforce the AuthorizationPolicies of a workload on a TCP port: DENY, ALLOW; empty when no policy applies. */
export function tcpAuthorization(
  snapshot: Snapshot,
  workload: SelectedWorkload,
  revoked: RevokedPeers = NOBODY,
): readonly Filter[] {
  return rulesFor(snapshot, workload, 'tcp', revoked)
    .filter(inForce)
    .map(({ side, enforced, shadow }) => {
      const config = create(TcpRbacSchema, {
        statPrefix: 'tcp.',
        ...(enforced === undefined ? {} : { rules: enforced }),
        ...(shadow === undefined ? {} : { shadowRules: shadow, shadowRulesStatPrefix: shadowPrefix(side) }),
      });
      return create(FilterSchema, {
        name: `envoy.filters.network.rbac.${side}`,
        configType: { case: 'typedConfig', value: anyPack(TcpRbacSchema, config) },
      });
    });
}
