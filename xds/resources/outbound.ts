import { create } from '@bufbuild/protobuf';
import { type Cluster, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import { LayeredMap } from '../../mesh/model/layered-map.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { isHttp } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import type { Change, ChangedLists } from '../../routing/change.ts';
import { unseenAuthorizers } from '../../routing/clusters/authorizers.ts';
import { calledServices } from '../../routing/clusters/outbound.ts';
import { fixedClusters } from '../../routing/compile.ts';
import { capturedParts } from '../../routing/listeners/outbound.ts';
import {
  type HostSite,
  proxyTable,
  routeConfiguration,
  type RouteTable,
  tableRoutes,
  virtualOf,
} from '../../routing/routes/sidecar.ts';
import { type Interruptible, TOGETHER } from '../../routing/interruptible.ts';
import type { Scope } from '../../routing/scope.ts';
import { collectorClusters } from '../../routing/tracing/collector.ts';
import type { View } from '../../routing/view.ts';
import { type EncodedResource, encodeResource, type Resources } from '../resource-set.ts';
import { namesOf, patchedTables } from './patched-tables.ts';
import { fullName, hostAt, nameOf, type Piece, pieceOf, same, sameHost, siteOf } from './pieces.ts';

type Encoded = LayeredMap<string, EncodedResource>;

/** A route configuration whose virtual hosts are resources of their own. */
export interface Routes {
  /** Without virtual hosts. */
  readonly empty: RouteConfiguration;
  /** Names of the resources of its virtual hosts, in order. */
  readonly order: readonly string[];
}

/**
 * What the proxies of one view call, encoded: the same for all that are of one namespace (under one Sidecar), captured alike, and not told
 * apart by labels or places. Never changed: a change makes another, which shares all that stayed.
 */
export interface Outbound {
  readonly view: View;
  readonly pieces: LayeredMap<Hostname, Piece>;
  readonly clusters: Encoded;
  readonly endpoints: Encoded;
  /** Names of the clusters that are of no service. */
  readonly fixed: readonly string[];
  /** Of captured traffic; listeners at a proxy's own address are its own. */
  readonly listeners: readonly Listener[];
  /** Route configurations that are sent whole in any case. */
  readonly whole: readonly EncodedResource[];
  readonly routes: readonly Routes[];
  readonly hosts: Encoded;
  /** VirtualServices (`namespace/name`) and the resources that they route. */
  readonly routed: LayeredMap<string, readonly string[]>;
  /** Services of which some port carries other than HTTP: listeners tell them apart. */
  readonly carriers: ReadonlySet<Hostname>;
  /** Some service takes every host of a port: its routes are sent whole, and made from the beginning with each change. */
  readonly open: boolean;
  /** Another object when what carriers are called by may have changed. */
  readonly carried: object;
}

function collect(
  into: Map<string, EncodedResource>,
  similar: Resources | undefined,
  resources: readonly EncodedResource[],
): void {
  for (const resource of resources) into.set(resource.name, same(similar?.get(resource.name), resource));
}

function carriesOther({ ports }: Service): boolean {
  return ports.some(({ protocol }) => protocol !== 'udp' && !isHttp(protocol));
}

const fixed = new WeakMap<Cluster, EncodedResource>();

function encodedCluster(cluster: Cluster): EncodedResource {
  const known = fixed.get(cluster) ?? encodeResource(ClusterSchema, cluster);
  fixed.set(cluster, known);
  return known;
}

interface Tables {
  readonly routes: readonly Routes[];
  readonly whole: readonly EncodedResource[];
  readonly hosts: Map<string, EncodedResource>;
  readonly routed: Map<string, string[]>;
}

function* tablesOf(
  scope: Scope,
  tables: readonly RouteTable[],
  similar: Outbound | undefined,
  since: Since | undefined,
): Interruptible<Tables> {
  const hosts = new Map<string, EncodedResource>();
  const routed = new Map<string, string[]>();
  const routes: Routes[] = [];
  const whole: EncodedResource[] = [];
  for (const table of tables) {
    const { name, ignorePort, sites, fallback } = table;
    if (fallback === undefined) {
      whole.push(encodeResource(RouteConfigurationSchema, tableRoutes(scope, table)));
      continue;
    }
    const order: string[] = [];
    for (const [at, site] of sites.entries()) {
      if (at % TOGETHER === 0) yield;
      const full = fullName(site);
      order.push(full);
      const virtual = virtualOf(scope, site);
      const old = similar?.hosts.get(full);
      hosts.set(
        full,
        since !== undefined && old !== undefined && stays(since, site, virtual, old) ? old : sameHost(old, hostAt(scope, site)),
      );
      if (virtual === undefined) continue;
      const key = keyOf(virtual.meta);
      const known = routed.get(key);
      if (known === undefined) routed.set(key, [full]);
      else known.push(full);
    }
    const last = nameOf({ table: name, name: fallback.name });
    order.push(last);
    hosts.set(
      last,
      same(similar?.hosts.get(last), encodeResource(VirtualHostSchema, create(VirtualHostSchema, { ...fallback, name: last }))),
    );
    routes.push({ empty: emptyRoutes(name, ignorePort), order });
  }
  return { routes, whole, hosts, routed };
}

const empties = new Map<string, RouteConfiguration>();

/** The same object for the same routes: there are as many as ports. */
function emptyRoutes(name: string, ignorePort: boolean): RouteConfiguration {
  const key = `${name} ${ignorePort}`;
  const made = empties.get(key) ?? routeConfiguration(name, [], ignorePort);
  empties.set(key, made);
  return made;
}

function partsOf(scope: Scope): ReturnType<typeof capturedParts> {
  const { proxy } = scope;
  if (proxy.kind === 'sidecar' && proxy.instance.capture.kind === 'redirect') return capturedParts(scope);
  return {
    listeners: [],
    routes: [],
    *tables() {
      return proxy.kind === 'gateway' ? [] : [yield* proxyTable(scope)];
    },
  };
}

/**
 * All of a view, from the beginning. Thousands of pieces: whoever composes may do something else wherever it yields.
 * @param similar of another view, or of this one before: what is the same is shared with it
 * @param change since `similar`, which is of this view then
 */
export function* composeOutbound(
  scope: Scope,
  revoked: RevokedPeers,
  similar: Outbound | undefined,
  change?: Change,
): Interruptible<Outbound> {
  const since = similar === undefined || change === undefined ? undefined : sinceOf(scope, similar, change);
  const made = new Map<Hostname, Piece>();
  const clusters = new Map<string, EncodedResource>();
  const endpoints = new Map<string, EncodedResource>();
  const carriers = new Set<Hostname>();
  let asked = 0;
  for (const service of calledServices(scope)) {
    if (asked++ % TOGETHER === 0) yield;
    if (carriesOther(service)) carriers.add(service.hostname);
    const piece = (since === undefined ? undefined : stayed(since, service)) ?? pieceOf(scope, revoked, service);
    if (piece === undefined) continue;
    made.set(service.hostname, piece);
    collect(clusters, similar?.clusters, piece.clusters);
    collect(endpoints, similar?.endpoints, piece.endpoints);
  }
  const fixed = [...fixedClusters(scope), ...collectorClusters(scope.snapshot)].map(encodedCluster);
  collect(clusters, similar?.clusters, fixed);
  yield;
  const parts = partsOf(scope);
  yield;
  const tables = yield* parts.tables();
  const { routes, whole, hosts, routed } = yield* tablesOf(scope, tables, similar, since);
  yield;
  const layers = {
    pieces: LayeredMap.like(similar?.pieces, made),
    clusters: LayeredMap.like(similar?.clusters, clusters),
    endpoints: LayeredMap.like(similar?.endpoints, endpoints),
  };
  yield;
  return {
    view: scope.view,
    ...layers,
    fixed: fixed.map(({ name }) => name),
    listeners: parts.listeners,
    whole: [...whole, ...parts.routes.map((one) => encodeResource(RouteConfigurationSchema, one))],
    routes,
    hosts: LayeredMap.like(similar?.hosts, hosts),
    routed: LayeredMap.of(routed),
    carriers,
    open: whole.length > 0,
    carried: {},
  };
}

/** A view before, and how to tell what of it stays. */
interface Since {
  readonly before: Outbound;
  readonly change: Change;
  readonly touched: (host: Hostname) => boolean;
  /** Hosts mean the same services but for those that changed themselves: a Sidecar may show more or fewer of their ports. */
  readonly hostsStay: boolean;
}

function touching({ moved, ruled, all }: Change): (host: Hostname) => boolean {
  const patterns = [...ruled].filter((host) => host.startsWith('*'));
  return (host) => all || moved.has(host) || ruled.has(host) || patterns.some((pattern) => covers(pattern, host));
}

function sinceOf({ sidecar }: Scope, before: Outbound, change: Change): Since {
  return { before, change, touched: touching(change), hostsStay: sidecar === undefined || sidecar.egress.length === 0 };
}

function stayed({ before, touched }: Since, service: Service): Piece | undefined {
  if (touched(service.hostname) || before.view.serviceByHost.get(service.hostname) !== service) return undefined;
  return before.pieces.get(service.hostname);
}

/** Whether a virtual host is what it was: in the same place, by the same routes, to what means the same. */
function stays(
  { before, change, touched, hostsStay }: Since,
  site: HostSite,
  virtual: VirtualService | undefined,
  old: EncodedResource,
): boolean {
  if (!hostsStay || touched(site.host) || siteOf(old) !== site) return false;
  return virtualOf(before, site) === virtual && (virtual === undefined || !change.rerouted.has(keyOf(virtual.meta)));
}

/** The services of a view to look at again. */
function touched(scope: Scope, change: Change): readonly Service[] {
  const { view } = scope;
  const { moved, ruled, all } = change;
  if (all || [...ruled].some((host) => host.startsWith('*'))) {
    const isTouched = touching(change);
    return calledServices(scope).filter(({ hostname }) => isTouched(hostname));
  }
  const unseen = unseenAuthorizers(scope.snapshot, view);
  return [...new Set([...moved, ...ruled])].flatMap(
    (host) => view.serviceByHost.get(host) ?? unseen.find(({ hostname }) => hostname === host) ?? [],
  );
}

function patchPieces(
  before: Outbound,
  scope: Scope,
  revoked: RevokedPeers,
  services: readonly Service[],
  moved: Iterable<Hostname>,
) {
  const made: [Hostname, Piece | undefined][] = [];
  const clusters = new Map<string, EncodedResource | undefined>();
  const endpoints = new Map<string, EncodedResource | undefined>();
  const byHost = new Map(services.map((service) => [service.hostname, service]));
  for (const host of new Set([...byHost.keys(), ...moved])) {
    const old = before.pieces.get(host);
    const service = byHost.get(host);
    const piece = service && pieceOf(scope, revoked, service);
    if (piece === old) continue;
    made.push([host, piece]);
    for (const [into, now, was, has] of [
      [clusters, piece?.clusters, old?.clusters, before.clusters],
      [endpoints, piece?.endpoints, old?.endpoints, before.endpoints],
    ] as const) {
      for (const { name } of was ?? []) into.set(name, undefined);
      for (const resource of now ?? []) into.set(resource.name, same(has.get(resource.name), resource));
    }
  }
  return {
    pieces: before.pieces.with(made),
    clusters: before.clusters.with(clusters),
    endpoints: before.endpoints.with(endpoints),
  };
}

function patchHosts(
  before: Outbound,
  { hosts, routed }: Pick<Outbound, 'hosts' | 'routed'>,
  scope: Scope,
  services: readonly Service[],
  { rerouted, ruled }: Change,
): Encoded {
  if (scope.proxy.kind === 'gateway') return hosts;
  const names = new Set<string>();
  for (const key of rerouted.keys())
    for (const name of [...(before.routed.get(key) ?? []), ...(routed.get(key) ?? [])]) names.add(name);
  if (ruled.size > 0)
    for (const service of services) for (const name of [...namesOf(scope, service).values()].flat()) names.add(name);
  const changes: [string, EncodedResource][] = [];
  for (const name of names) {
    const old = hosts.get(name);
    const site = old === undefined ? undefined : siteOf(old);
    if (old !== undefined && site !== undefined) changes.push([name, sameHost(old, hostAt(scope, site))]);
  }
  return hosts.with(changes);
}

/** Whether what is told apart by listeners may be called in another way. */
function carriesAnew({ carriers, view }: Outbound, services: readonly Service[], { rerouted, lists }: Change): boolean {
  if (carriers.size === 0) return false;
  if (services.some(({ hostname }) => carriers.has(hostname))) return true;
  const replaced = [...(lists?.services.replaced.keys() ?? [])];
  if (replaced.some(({ hostname }) => carriers.has(hostname))) return true;
  return [...rerouted].some(([key, virtual]) => {
    const hosts = [...(view.virtualServiceNamed(key)?.hosts ?? []), ...virtual.hosts];
    return hosts.some((host) => carriers.has(host) || (host.startsWith('*') && [...carriers].some((one) => covers(host, one))));
  });
}

function sameListeners(one: readonly Listener[], other: readonly Listener[]): boolean {
  return one.length === other.length && one.every((listener, at) => listener === other[at]);
}

/**
 * The view after a change of which all is named: only what the change touches is made again.
 * @param scope with the view as it is now
 * @returns undefined where it has to be composed all the same
 */
export function patchOutbound(
  before: Outbound,
  scope: Scope,
  revoked: RevokedPeers,
  change: Change,
  lists: ChangedLists,
): Outbound | undefined {
  const services = touched(scope, change);
  const tables = scope.proxy.kind === 'gateway' ? before : patchedTables(before, before.view, scope, lists);
  if (tables === undefined) return undefined;
  const patched = {
    ...before,
    ...patchPieces(before, scope, revoked, services, change.moved),
    view: scope.view,
    routes: tables.routes,
    routed: tables.routed,
    hosts: patchHosts(before, tables, scope, services, change),
  };
  if (!carriesAnew(before, services, change)) return patched;
  const parts = partsOf(scope);
  const whole = parts.routes.map((one) => encodeResource(RouteConfigurationSchema, one));
  const alike = whole.length === before.whole.length && whole.every((one, at) => one.version === before.whole[at]?.version);
  return {
    ...patched,
    listeners: sameListeners(before.listeners, parts.listeners) ? before.listeners : parts.listeners,
    whole: alike ? before.whole : whole,
    carried: {},
  };
}
