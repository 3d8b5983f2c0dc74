import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Policy, PolicySchema, RBACSchema, RBAC_Action } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { type SelectedWorkload, policiesFor } from '../select.ts';
import { allowing, denying, rbac, shadowOf } from './deciding.ts';
import { PEER_GUARD, peerGuard, tcpPeerFilter } from './peer.ts';
import { NOBODY, REVOKED, revokedPolicy } from './revoked.ts';

/** Begins the metadata key that names the rule which let a TCP connection in; the audit reads it. */
const ALLOWED_BY = 'gatehouse_allowed_by_';

/** Where the dry run of ALLOW policies stands on TCP. */
const DRY_RUN = 'dry-run';

/** The names of the network filters that decide, in order. */
export const TCP_FILTERS = Object.freeze(['deny', DRY_RUN, 'allow'] as const);
export type TcpRbac = { readonly [filter in (typeof TCP_FILTERS)[number]]: Any | undefined };

const tcpConfig = (fields: MessageInitShape<typeof TcpRbacSchema>): Any =>
  anyPack(TcpRbacSchema, create(TcpRbacSchema, { statPrefix: 'tcp.', ...fields }));

/** A filter that has nothing to decide. */
export const NO_TCP_RULES: Any = tcpConfig({});

/**
 * A network filter notes only which shadow rule matched, so what allows stands there twice; the dry run of ALLOW, whose place that is on
 * HTTP, has a filter of its own. A denial ends the connection, in whose details the rule is named.
 */
const configs = keptBy((policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig, revoked: RevokedPeers): TcpRbac => {
  const deciding = { policies, meshConfig, revoked };
  const [deny, allow] = [denying(deciding, 'tcp'), allowing(deciding, 'tcp')];
  const rules = allow.enforced && rbac(allow.enforced, 'allow');
  return Object.freeze({
    deny:
      deny.enforced === undefined && deny.shadow === undefined
        ? undefined
        : tcpConfig({ ...(deny.enforced === undefined ? {} : { rules: deny.enforced }), ...shadowOf('deny', deny.shadow) }),
    [DRY_RUN]: allow.shadow && tcpConfig(shadowOf('allow', rbac(allow.shadow, 'allow'))),
    allow: rules && tcpConfig({ rules, shadowRules: rules, shadowRulesStatPrefix: ALLOWED_BY }),
  });
});

/** What the network RBAC filters of a workload hold, behind {@link tcpPeerFilter}; undefined for one to which nothing applies. */
export function tcpRbac(snapshot: Snapshot, workload: SelectedWorkload, revoked: RevokedPeers = NOBODY): TcpRbac {
  return configs(policiesFor(snapshot, workload), snapshot.meshConfig, revoked);
}

export function tcpFilterName(filter: (typeof TCP_FILTERS)[number]): string {
  return `envoy.filters.network.rbac.${filter}`;
}

/** A policy that matches nothing. */
const nothing = (): Policy =>
  create(PolicySchema, {
    permissions: [{ rule: { case: 'notRule', value: { rule: { case: 'any', value: true } } } }],
    principals: [{ identifier: { case: 'any', value: true } }],
  });

/**
 * Refuses revoked identities on TCP. It stands in the listener itself: a new revocation replaces the filter chains of TCP ports, so that
 * connections that are open end with the drain, as those of a revoked peer should. A revoked certificate is refused when it connects, and
 * ends open connections in the same way: what changes then is the name of a policy that says when somebody was last cut off. Entries that
 * are forgotten change nothing, so that nobody's connections end for them. See docs/decisions/0013.
 */
export const tcpRevocation = keptBy((revoked: RevokedPeers): readonly Filter[] => {
  const policy = revokedPolicy({ ...revoked, serials: [] });
  const { newest } = revoked;
  if (policy === undefined && newest === undefined) return [];
  const rules = create(RBACSchema, {
    action: RBAC_Action.DENY,
    policies: {
      ...(policy !== undefined && { [REVOKED]: policy, [PEER_GUARD]: peerGuard() }),
      ...(newest !== undefined && { [`${REVOKED}-until-${newest}`]: nothing() }),
    },
  });
  const value = tcpConfig({ rules });
  return [create(FilterSchema, { name: 'envoy.filters.network.rbac.revoked', configType: { case: 'typedConfig', value } })];
});

/** The network filters that enforce the AuthorizationPolicies of a workload on a TCP port: who calls, who is revoked, DENY, ALLOW. Empty when nothing applies. */
export function tcpAuthorization(
  snapshot: Snapshot,
  workload: SelectedWorkload,
  revoked: RevokedPeers = NOBODY,
): readonly Filter[] {
  const made = tcpRbac(snapshot, workload, revoked);
  const filters = TCP_FILTERS.flatMap((filter) => {
    const value = made[filter];
    if (value === undefined) return [];
    return [create(FilterSchema, { name: tcpFilterName(filter), configType: { case: 'typedConfig', value } })];
  });
  const all = [...tcpRevocation(revoked), ...filters];
  return all.length === 0 ? [] : [tcpPeerFilter(), ...all];
}
