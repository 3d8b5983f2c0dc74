import { create } from '@bufbuild/protobuf';
import { anyPack, DurationSchema } from '@bufbuild/protobuf/wkt';
import { Cluster_DiscoveryType, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { ApiVersion, ConfigSourceSchema } from '#gen/envoy/config/core/v3/config_source_pb.js';
import { ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import { RouterSchema } from '#gen/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import {
  CLUSTER,
  encodeResource,
  ENDPOINTS,
  LISTENER,
  type ResourceSet,
  resourceSet,
  ROUTES,
  VIRTUAL_HOST,
} from '../../../xds/resource-set.ts';
import { routeResources } from '../../../xds/resources/routes.ts';

const ads = () =>
  create(ConfigSourceSchema, { resourceApiVersion: ApiVersion.V3, configSourceSpecifier: { case: 'ads', value: {} } });
const socket = (port: number) =>
  ({ case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: port } } }) as const;

function cluster(name: string) {
  return create(ClusterSchema, {
    name,
    connectTimeout: create(DurationSchema, { seconds: 1n }),
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads() },
  });
}

function endpoints(clusterName: string, port: number) {
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: { address: socket(port) } } } }] }],
  });
}

function listener(name: string, routeConfigName: string) {
  const hcm = create(HttpConnectionManagerSchema, {
    statPrefix: name,
    routeSpecifier: { case: 'rds', value: { routeConfigName, configSource: ads() } },
    httpFilters: [
      {
        name: 'envoy.filters.http.router',
        configType: { case: 'typedConfig', value: anyPack(RouterSchema, create(RouterSchema)) },
      },
    ],
  });
  return create(ListenerSchema, {
    name,
    address: { address: socket(0) },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, hcm) },
          },
        ],
      },
    ],
  });
}

function badListener(name: string) {
  return create(ListenerSchema, {
    name,
    address: { address: socket(0) },
    filterChains: [{ filters: [{ name: 'no.such.filter' }] }],
  });
}

/** Each domain twice is what Envoy refuses. */
function routes(name: string, to: string, domains: readonly string[]) {
  const route = {
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: to } } },
  } as const;
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: domains.map((domain, index) => ({ name: `${index}`, domains: [domain], routes: [route] })),
  });
}

/**
 * Many hosts over VHDS behind each of some listeners, beside a fallback that answers 502: listener -> host -> cluster. `name@domain` is a host with
 * another domain than its name, and one to the cluster `bad` is refused.
 */
export function hostsSet(
  clusters: Readonly<Record<string, number>>,
  listeners: Readonly<Record<string, Readonly<Record<string, string>>>>,
): ResourceSet {
  const to = (name: string) =>
    ({
      match: { pathSpecifier: { case: 'prefix', value: '/' } },
      action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: name } } },
    }) as const;
  const unknown = {
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: { case: 'directResponse', value: { status: 502 } },
  } as const;
  const refusedRoute = {
    match: { pathSpecifier: { case: 'safeRegex', value: { regex: '[' } } },
    action: { case: 'directResponse', value: { status: 200 } },
  } as const;
  const configurations = Object.entries(listeners).map(([name, hosts]) =>
    create(RouteConfigurationSchema, {
      name: `${name}-routes`,
      virtualHosts: [
        ...Object.entries(hosts).map(([host, cluster]) => {
          const [name = '', domain = name] = host.split('@');
          return { name, domains: [domain], routes: [cluster === 'bad' ? refusedRoute : to(cluster)] };
        }),
        { name: 'block_all', domains: ['*'], routes: [unknown] },
      ],
    }),
  );
  const made = routeResources(configurations, 'apart');
  return resourceSet({
    [CLUSTER]: Object.keys(clusters).map((name) => encodeResource(ClusterSchema, cluster(name))),
    [ENDPOINTS]: Object.entries(clusters).map(([name, port]) =>
      encodeResource(ClusterLoadAssignmentSchema, endpoints(name, port)),
    ),
    [LISTENER]: Object.keys(listeners).map((name) => encodeResource(ListenerSchema, listener(name, `${name}-routes`))),
    [ROUTES]: made.routes,
    [VIRTUAL_HOST]: made.hosts,
  });
}

export interface Mesh {
  /** Cluster -> port of its only endpoint. */
  readonly clusters: Readonly<Record<string, number>>;
  /** Listener and its route configuration -> cluster. */
  readonly listeners: Readonly<Record<string, string>>;
  /** Listeners whose route configuration Envoy is to refuse. */
  readonly bad?: readonly string[];
  /** Listeners that Envoy is to refuse themselves. */
  readonly badListeners?: readonly string[];
}

/** Listener `l` has routes `l-routes`. */
export function meshSet({ clusters, listeners, bad = [], badListeners = [] }: Mesh): ResourceSet {
  return resourceSet({
    [CLUSTER]: Object.keys(clusters).map((name) => encodeResource(ClusterSchema, cluster(name))),
    [ENDPOINTS]: Object.entries(clusters).map(([name, port]) =>
      encodeResource(ClusterLoadAssignmentSchema, endpoints(name, port)),
    ),
    [LISTENER]: Object.keys(listeners).map((name) =>
      encodeResource(ListenerSchema, badListeners.includes(name) ? badListener(name) : listener(name, `${name}-routes`)),
    ),
    [ROUTES]: Object.entries(listeners).map(([name, to]) =>
      encodeResource(RouteConfigurationSchema, routes(`${name}-routes`, to, bad.includes(name) ? ['x', 'x'] : ['*'])),
    ),
  });
}
