import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { type SelectedWorkload, policiesFor } from '../select.ts';
import { allowing, denying, type Granting, rbac, type Refusing, shadowOf } from './deciding.ts';
import { budget } from './matcher/budget.ts';
import { asMatcher } from './matcher/matcher.ts';
import { peerFilter } from './peer.ts';
import { NOBODY } from './revoked.ts';
import type { Side } from './side.ts';

/** What the HTTP RBAC filters of a workload hold; undefined for one to which nothing applies. */
export type HttpRbac = { readonly [side in Side]: Any | undefined };

/** Counted by rule: what is counted is denied, so that nothing is added to the cost of what is let through. */
function denyFilter({ enforced, shadow }: Refusing): Any | undefined {
  if (enforced === undefined && shadow === undefined) return undefined;
  const rules = enforced === undefined ? {} : { rules: enforced };
  return anyPack(HttpRbacSchema, create(HttpRbacSchema, { ...rules, ...shadowOf('deny', shadow), trackPerRuleStats: true }));
}

/** As a tree of maps where that says the same, is cheaper for each request and not much larger; else as rules. See docs/decisions/0012. */
function allowFilter({ enforced, shadow }: Granting): Any | undefined {
  if (enforced === undefined && shadow === undefined) return undefined;
  const dry = shadowOf('allow', shadow && rbac(shadow, 'allow'));
  if (enforced === undefined) return anyPack(HttpRbacSchema, create(HttpRbacSchema, dry));
  const matcher = asMatcher(enforced);
  if (matcher !== undefined) {
    const packed = anyPack(HttpRbacSchema, create(HttpRbacSchema, { matcher, ...dry }));
    if (packed.value.length <= budget([...enforced, ...(shadow ?? [])])) return packed;
  }
  return anyPack(HttpRbacSchema, create(HttpRbacSchema, { rules: rbac(enforced, 'allow'), ...dry }));
}

const configs = keptBy((policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig, revoked: RevokedPeers): HttpRbac => {
  const deciding = { policies, meshConfig, revoked };
  return Object.freeze({ deny: denyFilter(denying(deciding, 'http')), allow: allowFilter(allowing(deciding, 'http')) });
});

/**
 * The RBAC filters that enforce the AuthorizationPolicies of a workload on HTTP, behind {@link peerFilter}. Decisions are in the dynamic
 * metadata `envoy.filters.http.rbac`; the filter that ran last, which is the one that decided, is what `enforced_*` tells. Made once for
 * the same policies, mesh configuration and revocations.
 */
export function httpRbac(snapshot: Snapshot, workload: SelectedWorkload, revoked: RevokedPeers = NOBODY): HttpRbac {
  return configs(policiesFor(snapshot, workload), snapshot.meshConfig, revoked);
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
