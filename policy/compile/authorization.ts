import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Policy, type RBAC, RBACSchema, RBAC_Action } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { Matcher } from '#gen/xds/type/matcher/v3/matcher_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { type SelectedWorkload, policiesFor } from '../select.ts';
import { askingsOf, isCustom, unaskableOf } from './custom/applying.ts';
import { UNSETTLED, unsettledPolicy } from './custom/marking.ts';
import type { Layer } from './field.ts';
import { cheaperMatcher } from './matcher/budget.ts';
import { PEER_GUARD, peerFilter, peerGuard, tcpPeerFilter } from './peer.ts';
import { NOBODY, REVOKED, revokedPolicy } from './revoked.ts';
import { rulesOf, type Side } from './side.ts';
import type { CompiledRule } from './test.ts';
import { written } from './written.ts';

/** What one RBAC filter enforces, and what it only notes (dry run). Undefined: nothing of that kind applies. */
interface Rules {
  readonly side: Side;
  readonly enforced: RBAC | Matcher | undefined;
  readonly shadow: RBAC | undefined;
}

const writtenOnce = keptBy((rule: CompiledRule) => written(rule));

function rbac(rules: readonly CompiledRule[], side: Side): RBAC {
  const policies: Record<string, Policy> = {};
  for (const rule of rules) policies[rule.name] = writtenOnce(rule);
  return create(RBACSchema, { action: side === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW, policies });
}

/** What decides over one workload, or over all to which the same policies apply. */
interface Deciding {
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

/** DENY. Of CUSTOM, only the rules for which there is nobody to ask. */
function denying(deciding: Deciding, layer: Layer): Rules {
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
    side: 'deny',
    enforced: empty ? undefined : rules,
    shadow: shadow.length === 0 ? undefined : rbac(rulesOf(shadow, 'deny', layer, meshConfig), 'deny'),
  };
}

function allowing({ policies, meshConfig }: Deciding, layer: Layer): Rules {
  const granting = policies.filter(({ action }) => action === 'ALLOW');
  const [enforced, shadow] = [granting.filter(inForce), granting.filter(dry)];
  const rules = rulesOf(enforced, 'allow', layer, meshConfig);
  const plain = rbac(rules, 'allow');
  return {
    side: 'allow',
    enforced: enforced.length === 0 ? undefined : layer === 'http' ? (cheaperMatcher(rules, plain) ?? plain) : plain,
    shadow: shadow.length === 0 ? undefined : rbac(rulesOf(shadow, 'allow', layer, meshConfig), 'allow'),
  };
}

/**
 * DENY, then ALLOW, as Istio orders them. CUSTOM asks an authorizer, in filters of its own before these (see custom/). AUDIT decides
 * nothing. A dry run adds shadow rules only, and so no implicit denial.
 */
function rulesFor(deciding: Deciding, layer: Layer): readonly Rules[] {
  return [denying(deciding, layer), allowing(deciding, layer)].filter(inUse);
}

function inUse({ enforced, shadow }: Rules): boolean {
  return enforced !== undefined || shadow !== undefined;
}

function shadowPrefix(side: Side): string {
  return `istio_dry_run_${side}_`;
}

/** The fields of a filter's configuration, HTTP or TCP. */
function fieldsOf({ side, enforced, shadow }: Rules) {
  return {
    ...(enforced === undefined
      ? {}
      : enforced.$typeName === 'envoy.config.rbac.v3.RBAC'
        ? { rules: enforced }
        : { matcher: enforced }),
    ...(shadow === undefined ? {} : { shadowRules: shadow, shadowRulesStatPrefix: shadowPrefix(side) }),
  };
}

/** What the HTTP RBAC filters of a workload hold; undefined for one to which nothing applies. */
export type HttpRbac = { readonly [side in Side]: Any | undefined };

const httpConfigs = keptBy(
  (policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig, revoked: RevokedPeers): HttpRbac => {
    const made: Record<Side, Any | undefined> = { deny: undefined, allow: undefined };
    for (const rules of rulesFor({ policies, meshConfig, revoked }, 'http'))
      made[rules.side] = anyPack(HttpRbacSchema, create(HttpRbacSchema, fieldsOf(rules)));
    return Object.freeze(made);
  },
);

/**
 * The RBAC filters that enforce the AuthorizationPolicies of a workload on HTTP, behind {@link peerFilter}. Decisions are in the dynamic
 * metadata `envoy.filters.http.rbac`; the filter that ran last, which is the one that decided, is what `enforced_*` tells. Made once for
 * the same policies, mesh configuration and revocations.
 */
export function httpRbac(snapshot: Snapshot, workload: SelectedWorkload, revoked: RevokedPeers = NOBODY): HttpRbac {
  return httpConfigs(policiesFor(snapshot, workload), snapshot.meshConfig, revoked);
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
const tcpConfigs = keptBy((policies: readonly AuthorizationPolicy[], meshConfig: MeshConfig, revoked: RevokedPeers): TcpRbac => {
  const deciding = { policies, meshConfig, revoked };
  const [deny, allow] = [denying(deciding, 'tcp'), allowing(deciding, 'tcp')];
  const { enforced, shadow } = allow;
  return Object.freeze({
    deny: inUse(deny) ? tcpConfig(fieldsOf(deny)) : undefined,
    [DRY_RUN]: shadow && tcpConfig(fieldsOf({ ...allow, enforced: undefined })),
    allow:
      enforced?.$typeName === 'envoy.config.rbac.v3.RBAC'
        ? tcpConfig({ rules: enforced, shadowRules: enforced, shadowRulesStatPrefix: ALLOWED_BY })
        : undefined,
  });
});

/** What the network RBAC filters of a workload hold, behind {@link tcpPeerFilter}; undefined for one to which nothing applies. */
export function tcpRbac(snapshot: Snapshot, workload: SelectedWorkload, revoked: RevokedPeers = NOBODY): TcpRbac {
  return tcpConfigs(policiesFor(snapshot, workload), snapshot.meshConfig, revoked);
}

export function tcpFilterName(filter: (typeof TCP_FILTERS)[number]): string {
  return `envoy.filters.network.rbac.${filter}`;
}

/**
 * Refuses revoked identities on TCP. It stands in the listener itself: a new revocation replaces the filter chains of TCP ports, so that
 * connections that are open end with the drain, as those of a revoked peer should. A revoked certificate is refused when it connects.
 */
export const tcpRevocation = keptBy((revoked: RevokedPeers): readonly Filter[] => {
  const policy = revokedPolicy({ ...revoked, serials: [] });
  if (policy === undefined) return [];
  const rules = create(RBACSchema, {
    action: RBAC_Action.DENY,
    policies: { [REVOKED]: policy, [PEER_GUARD]: peerGuard() },
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
