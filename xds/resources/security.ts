import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type TypedExtensionConfig, TypedExtensionConfigSchema } from '#gen/envoy/config/core/v3/extension_pb.js';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import { RBACSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { HeaderMutationSchema } from '#gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import { JwtAuthenticationSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { httpAudit, tcpAudit } from '../../policy/compile/audit.ts';
import { httpRbac } from '../../policy/compile/authorization.ts';
import { NO_TCP_RULES, TCP_FILTERS, tcpFilterName, tcpRbac, tcpRevocation } from '../../policy/compile/tcp-authorization.ts';
import { tcpCustom } from '../../policy/compile/custom/filters.ts';
import { peerFilter, tcpPeerFilter } from '../../policy/compile/peer.ts';
import { NOBODY } from '../../policy/compile/revoked.ts';
import { keptBy } from '../../policy/kept.ts';
import { SharedLists } from '../../policy/shared-list.ts';
import { type KnownKeys, NO_KEYS } from '../../policy/jwks/known.ts';
import { JWT_FILTER, OUTPUT_FILTER, jwtAuthentication, outputHeaders } from '../../policy/request-authentication/filter.ts';
import { mtlsMode } from '../../policy/peer-authentication/mode.ts';
import type { InboundSecurity } from '../../routing/security.ts';
import { NO_LIMITS, RATE_LIMIT_TYPE, rateLimitFilter, rateLimitFilterName, type Stage } from '../../routing/rate-limit/filter.ts';
import { adsSource } from '../../routing/wire/config-source.ts';
import { encodeResource, type Resources } from '../resource-set.ts';
import { CLUSTERS, customSlots } from './custom-slots.ts';
import { memoisedByGrounds } from './grounds.ts';

/** All that decides what a slot holds. */
export interface SlotInputs {
  readonly snapshot: Snapshot;
  readonly workload: Workload;
  readonly revoked: RevokedPeers;
  /** The keys of token issuers that were fetched so far. */
  readonly keys: KnownKeys;
}

/**
 * A place for one HTTP filter in front of a workload, which policy fills. It is in every filter chain that takes requests in, whether or
 * not anything applies, so that a change of policy changes no listener: see docs/decisions/0004.
 */
export interface Slot {
  /** The filter's name, and that of the resource that fills it. */
  readonly name: string;
  /** Types of configuration that Envoy may be sent for it, that of `empty` included. */
  readonly types: readonly string[];
  /** What stands there for a workload; undefined when nothing applies. */
  readonly fill: (inputs: SlotInputs) => Any | undefined;
  /** What stands there when nothing applies: it must let requests through. */
  readonly empty: (inputs: SlotInputs) => Any;
}

const TCP_RBAC_TYPE = `type.googleapis.com/${TcpRbacSchema.typeName}`;
const RBAC_TYPE = `type.googleapis.com/${RBACSchema.typeName}`;

/** A filter that has nothing to decide. */
const NO_RULES = anyPack(RBACSchema, create(RBACSchema));

/** DENY first: see docs/decisions/0004. */
const RBAC_SLOTS: readonly Slot[] = Object.freeze(
  (['deny', 'allow'] as const).map((side) => ({
    name: `envoy.filters.http.rbac.${side}`,
    types: [RBAC_TYPE],
    fill: ({ snapshot, workload, revoked }: SlotInputs) => httpRbac(snapshot, workload, revoked)[side],
    empty: () => NO_RULES,
  })),
);

/** Marks, decides nothing. */
const AUDIT_SLOT: Slot = Object.freeze({
  name: 'envoy.filters.http.rbac.audit',
  types: [RBAC_TYPE],
  fill: ({ snapshot, workload }: SlotInputs) => httpAudit(snapshot, workload),
  empty: () => NO_RULES,
});

const NO_MUTATIONS = anyPack(HeaderMutationSchema, create(HeaderMutationSchema, { mutations: {} }));
const NO_TOKENS = anyPack(JwtAuthenticationSchema, create(JwtAuthenticationSchema));

/** Tokens: first what only a verified one may put into a request is taken out of it. */
const TOKEN_SLOTS: readonly Slot[] = Object.freeze([
  {
    name: OUTPUT_FILTER,
    types: [`type.googleapis.com/${HeaderMutationSchema.typeName}`],
    fill: ({ snapshot, workload }: SlotInputs) => outputHeaders(snapshot, workload),
    empty: () => NO_MUTATIONS,
  },
  {
    name: JWT_FILTER,
    types: [`type.googleapis.com/${JwtAuthenticationSchema.typeName}`],
    fill: ({ snapshot, workload, keys }: SlotInputs) => jwtAuthentication(snapshot, workload, keys),
    empty: () => NO_TOKENS,
  },
]);

/** Limits within this proxy: see docs/decisions/0014. */
function limitSlot(stage: Stage): Slot {
  return {
    name: rateLimitFilterName(stage),
    types: [RATE_LIMIT_TYPE],
    fill: ({ snapshot, workload }) => rateLimitFilter(snapshot, workload, stage),
    empty: () => NO_LIMITS,
  };
}

/**
 * The slots in front of every workload, in the order in which requests pass them; behind `gatehouse.peer`. They may depend on the mesh
 * configuration only, whose change may replace listeners, never on policies or workloads:
 *   1. rate limits by client address, so that a flood costs neither authorizers nor signatures; 2. CUSTOM (for each extension provider a
 *      filter that marks and one that asks): before tokens, as in Istio, so that an authorizer may put one into the request; 3. tokens (what
 *      they may write, jwt_authn); 4. AUDIT; 5. DENY; 6. ALLOW; 7. the other rate limits, which count what was let through
 */
function slots(meshConfig: MeshConfig): readonly Slot[] {
  return [limitSlot('arriving'), ...customSlots(meshConfig), ...TOKEN_SLOTS, AUDIT_SLOT, ...RBAC_SLOTS, limitSlot('allowed')];
}

/** What policy says about traffic into a workload, in the form in which routing puts it into listeners: all of it inline. */
export function inboundSecurity(snapshot: Snapshot, workload: Workload): InboundSecurity {
  const inputs = { snapshot, workload, revoked: NOBODY, keys: NO_KEYS };
  const filled = slots(snapshot.meshConfig).flatMap(({ name, fill }) => {
    const value = fill(inputs);
    return value === undefined ? [] : [create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value } })];
  });
  const network = TCP_SLOTS.flatMap(({ name, fill }) => {
    const value = fill(inputs);
    return value === undefined ? [] : [create(FilterSchema, { name, configType: { case: 'typedConfig', value } })];
  });
  const { meshConfig, peerAuthentications } = snapshot;
  const http = filled.length === 0 ? [] : [peerFilter(), ...filled];
  return security({ meshConfig, peerAuthentications }, workload, http, networkOf(inputs, network));
}

/** The places in front of a workload's TCP ports. Filters of CUSTOM are no slots: what marks and what asks are swapped together. */
const TCP_SLOTS: readonly Slot[] = Object.freeze([
  {
    name: 'envoy.filters.network.rbac.audit',
    types: [TCP_RBAC_TYPE],
    fill: ({ snapshot, workload }: SlotInputs) => tcpAudit(snapshot, workload),
    empty: () => NO_TCP_RULES,
  },
  ...TCP_FILTERS.map((filter) => ({
    name: tcpFilterName(filter),
    types: [TCP_RBAC_TYPE],
    fill: ({ snapshot, workload, revoked }: SlotInputs) => tcpRbac(snapshot, workload, revoked)[filter],
    empty: () => NO_TCP_RULES,
  })),
]);

const NOTHING_DECIDES: readonly Filter[] = Object.freeze([]);

const behindPeer = keptBy(
  (revocation: readonly Filter[], custom: readonly Filter[], tcpSlots: readonly Filter[]): readonly Filter[] => {
    const deciding = [...revocation, ...custom, ...tcpSlots];
    return deciding.length === 0 ? NOTHING_DECIDES : Object.freeze([tcpPeerFilter(), ...deciding]);
  },
);

/** What of the snapshot the modes depend on: what answers about them may outlive it. */
type Modes = Pick<Snapshot, 'meshConfig' | 'peerAuthentications'>;

function security(modes: Modes, workload: Workload, http: readonly HttpFilter[], network: readonly Filter[]): InboundSecurity {
  return Object.freeze({
    mtlsMode: (port: Port) => mtlsMode(modes, workload, port),
    peerMtlsMode: (peer: Workload, port: Port) => mtlsMode(modes, peer, port),
    httpFilters: () => http,
    networkFilters: () => network,
  });
}

function networkOf({ snapshot, workload, revoked }: SlotInputs, tcpSlots: readonly Filter[]): readonly Filter[] {
  return behindPeer(tcpRevocation(revoked), tcpCustom(snapshot, workload, CLUSTERS), tcpSlots);
}

const discovered = new WeakMap<MeshConfig, readonly HttpFilter[]>();

/** Envoy waits with a listener until the slots have been filled, and answers 500 without: never without policy. */
function discoveredFilters(meshConfig: MeshConfig): readonly HttpFilter[] {
  const known = discovered.get(meshConfig);
  if (known !== undefined) return known;
  const filters = [
    peerFilter(),
    ...slots(meshConfig).map(({ name, types }) =>
      create(HttpFilterSchema, {
        name,
        configType: { case: 'configDiscovery', value: { configSource: adsSource(), typeUrls: [...types] } },
      }),
    ),
  ];
  discovered.set(meshConfig, filters);
  return filters;
}

const discoveredTcp: readonly Filter[] = TCP_SLOTS.map(({ name, types }) =>
  create(FilterSchema, {
    name,
    configType: { case: 'configDiscovery', value: { configSource: adsSource(), typeUrls: [...types] } },
  }),
);

export interface DiscoveredSecurity {
  readonly security: InboundSecurity;
  readonly extensions: readonly TypedExtensionConfig[];
}

/** By what a slot holds: replicas, and workloads under the same policies, share a message, which is encoded once. */
const resources = new WeakMap<Any, Map<string, TypedExtensionConfig>>();

function resource(name: string, typedConfig: Any): TypedExtensionConfig {
  const known = resources.get(typedConfig) ?? new Map<string, TypedExtensionConfig>();
  resources.set(typedConfig, known);
  const made = known.get(name) ?? create(TypedExtensionConfigSchema, { name, typedConfig });
  known.set(name, made);
  return made;
}

const lists = new SharedLists<TypedExtensionConfig>();

interface Decided {
  readonly extensions: readonly TypedExtensionConfig[];
  readonly network: readonly Filter[];
}

const decided = memoisedByGrounds((inputs: SlotInputs): Decided => {
  const made = [...slots(inputs.snapshot.meshConfig), ...TCP_SLOTS].map(({ name, fill, empty }) =>
    resource(name, fill(inputs) ?? empty(inputs)),
  );
  return Object.freeze({ extensions: lists.shared(made), network: networkOf(inputs, discoveredTcp) });
});

/** The extensions encoded: one map for one list, so that streams see at once that nothing changed. */
export const extensionResources = keptBy(
  (extensions: readonly TypedExtensionConfig[]): Resources =>
    new Map(extensions.map((extension) => [extension.name, encodeResource(TypedExtensionConfigSchema, extension)] as const)),
);

interface Made {
  readonly decides: Decided;
  readonly modes: Modes;
  readonly discovered: DiscoveredSecurity;
}

const last = new WeakMap<Workload, Made>();

/**
 * As {@link inboundSecurity}, but with policy in resources of its own (ECDS), so that a changed policy decides over the next request on
 * connections that are open already, and over the next TCP connection, and no listener is drained for it. Revoked peers are denied
 * whatever policies say. The same object as long as nothing that it says of the workload can have changed; how large the mesh is does not
 * count then.
 */
export function discoveredSecurity(
  snapshot: Snapshot,
  workload: Workload,
  revoked: RevokedPeers,
  keys: KnownKeys,
): DiscoveredSecurity {
  const { meshConfig, peerAuthentications } = snapshot;
  const decides = decided({ snapshot, workload, revoked, keys });
  const before = last.get(workload);
  if (
    before?.decides === decides &&
    before.modes.meshConfig === meshConfig &&
    before.modes.peerAuthentications === peerAuthentications
  )
    return before.discovered;
  const { extensions, network } = decides;
  const modes = { meshConfig, peerAuthentications };
  const discovered = Object.freeze({
    security: security(modes, workload, discoveredFilters(meshConfig), network),
    extensions,
  });
  last.set(workload, { decides, modes, discovered });
  return discovered;
}
