import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_EdsClusterConfigSchema,
  Cluster_LbPolicy,
  ClusterSchema,
} from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import type { DestinationRule, Subset, TrafficPolicy } from '../../mesh/model/destination-rule.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import { familiesOf } from '../../mesh/model/families.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import type { Instance } from '../../mesh/model/workload.ts';
import { isHttp } from '../../mesh/model/port.ts';
import { loadAssignment, staticAssignment } from '../endpoints/assign.ts';
import { byName } from '../dynamic-dns/cache.ts';
import { choosable } from '../endpoints/one-of.ts';
import { nearness, weighsLocalities } from '../endpoints/locality.ts';
import { kept } from '../kept.ts';
import { outboundCluster } from '../names.ts';
import type { Scope } from '../scope.ts';
import { adsSource } from '../wire/config-source.ts';
import { duration } from '../wire/duration.ts';
import { circuitBreakers, tcpKeepalive } from './connection-pool.ts';
import { unseenAuthorizers } from './authorizers.ts';
import { CONNECT_TIMEOUT_MS } from './fixed.ts';
import { loadBalancing } from './load-balancer.ts';
import { outlierDetection } from './outlier-detection.ts';
import { type HostByRequest, httpProtocolOptions, upgraded } from './protocol-options.ts';
import { rulesFor } from './rules.ts';
import { destinationPolicy, type PortPolicy, portPolicy } from './traffic-policy.ts';
import { gatewayKeyPairs } from './gateway-key-pair.ts';
import { transport } from './transport.ts';

type Discovery = 'eds' | 'dns' | 'names' | 'original-destination';

function discoveryOf(scope: Scope, service: Service): Discovery | undefined {
  switch (service.resolution) {
    case 'endpoints':
      return 'eds';
    case 'dns':
      return service.hostname.startsWith('*') && service.endpoints.length === 0 ? undefined : 'dns';
    case 'none':
      // Only captured traffic has an original destination; an explicit proxy resolves the name instead.
      if (isCaptured(scope)) return 'original-destination';
      return service.hostname.startsWith('*') ? undefined : 'dns';
    case 'names':
      return 'names';
    default:
      return service.resolution satisfies never;
  }
}

/** `PASSTHROUGH`: where the caller was going, which only a capturing sidecar knows. */
function discoveryFor(scope: Scope, { loadBalancer }: PortPolicy, discovery: Discovery): Discovery {
  return isCaptured(scope) && loadBalancer?.algorithm === 'PASSTHROUGH' ? 'original-destination' : discovery;
}

function isCaptured({ proxy }: Scope): boolean {
  return proxy.kind === 'sidecar' && proxy.instance.capture.kind === 'redirect';
}

const passesThrough = (policy: TrafficPolicy | undefined): boolean =>
  policy?.loadBalancer?.algorithm === 'PASSTHROUGH' || [...(policy?.portLevel.values() ?? [])].some(passesThrough);

/** Whether what becomes of a service differs between proxies by how they get their traffic. */
function asksForCapture({ trafficPolicy, subsets }: DestinationRule): boolean {
  return passesThrough(trafficPolicy) || subsets.some((subset) => passesThrough(subset.trafficPolicy));
}

/** Envoy takes LOGICAL_DNS with one endpoint only; a subset may have none. */
function resolver({ oneAddress }: Service, { endpoints }: ClusterLoadAssignment): Cluster_DiscoveryType {
  const count = endpoints.reduce((sum, { lbEndpoints }) => sum + lbEndpoints.length, 0);
  return oneAddress === true && count === 1 ? Cluster_DiscoveryType.LOGICAL_DNS : Cluster_DiscoveryType.STRICT_DNS;
}

/** Which addresses of a host the proxy can call. Without capture it is one of this machine's processes, whose addresses are not the pod's. */
function lookupFamily(instance: Instance): Cluster_DnsLookupFamily {
  if (instance.capture.kind === 'explicit') return Cluster_DnsLookupFamily.V4_PREFERRED;
  const families = familiesOf(instance);
  switch (families) {
    case 'IPv4':
      return Cluster_DnsLookupFamily.V4_ONLY;
    case 'IPv6':
      return Cluster_DnsLookupFamily.V6_ONLY;
    case 'both':
      return Cluster_DnsLookupFamily.ALL;
    default:
      return families satisfies never;
  }
}

/** TLS of a rule without an SNI: the host of each request takes its place, and must be in the certificate unless others are named. */
function hostByRequest(tls: PortPolicy['tls'], speaksHttp: boolean, names: readonly string[]): HostByRequest {
  if ((tls?.mode !== 'SIMPLE' && tls?.mode !== 'MUTUAL') || tls.sni !== undefined || !speaksHttp) return 'no';
  return tls.subjectAltNames.length > 0 || names.length > 0 || tls.authorities.kind === 'none' ? 'named' : 'named and checked';
}

function cluster(
  scope: Scope,
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  policy: PortPolicy,
  discovery: Discovery,
): Cluster {
  const name = outboundCluster(port.port, subset?.name, service.hostname);
  const pool = policy.connectionPool;
  const outliers = discovery === 'original-destination' || discovery === 'names' ? undefined : policy.outlierDetection;
  const { defaults } = scope.snapshot.meshConfig;
  const protocol = upgraded(port.protocol, pool?.upgradeToHttp2 ?? defaults?.upgradeToHttp2);
  const keepalive = pool?.tcpKeepalive ?? defaults?.tcpKeepalive;
  const speaksHttp = isHttp(protocol) || protocol === 'unknown';
  const checked = hostByRequest(policy.tls, speaksHttp, service.subjectAltNames ?? []);
  const made = create(ClusterSchema, {
    name,
    ...(discovery === 'original-destination' || discovery === 'names'
      ? { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED }
      : loadBalancing(policy.loadBalancer)),
    connectTimeout: duration(pool?.connectTimeoutMs ?? defaults?.connectTimeoutMs ?? CONNECT_TIMEOUT_MS),
    circuitBreakers: circuitBreakers(pool, policy.retryBudget),
    // Panic (sending to ejected hosts when few are left) only where asked for.
    commonLbConfig: {
      healthyPanicThreshold: { value: outliers?.minHealthPercent ?? 0 },
      // Envoy gathers changes of health for a second, in which a host that was ejected soon after another would still be sent to.
      ...(outliers === undefined ? {} : { updateMergeWindow: duration(0) }),
      ...(weighsLocalities(scope, policy)
        ? { localityConfigSpecifier: { case: 'localityWeightedLbConfig' as const, value: {} } }
        : {}),
    },
    typedExtensionProtocolOptions: httpProtocolOptions(protocol, pool, checked, outliers?.httpErrorCodes),
    ...(keepalive === undefined ? {} : { upstreamConnectionOptions: tcpKeepalive(keepalive) }),
    ...(outliers === undefined ? {} : { outlierDetection: outlierDetection(outliers) }),
    ...transport(scope, { service, port, subset, policy, protocol, speaksHttp }),
  });
  switch (discovery) {
    case 'eds':
      made.clusterDiscoveryType = { case: 'type', value: Cluster_DiscoveryType.EDS };
      Object.assign(made, choosable(service));
      made.edsClusterConfig = create(Cluster_EdsClusterConfigSchema, { edsConfig: adsSource(), serviceName: name });
      return made;
    case 'dns':
      made.loadAssignment = staticAssignment(scope, service, port, subset, name);
      made.clusterDiscoveryType = { case: 'type', value: resolver(service, made.loadAssignment) };
      made.dnsLookupFamily = lookupFamily(scope.proxy.instance);
      made.respectDnsTtl = true;
      return made;
    case 'original-destination':
      made.clusterDiscoveryType = { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST };
      return made;
    case 'names':
      return Object.assign(made, byName(checked === 'named and checked'));
    default:
      return discovery satisfies never;
  }
}

/** The clusters of one service as one namespace sees it, with the endpoints of those that get them by EDS. */
export interface ServiceClusters {
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly ClusterLoadAssignment[];
}

function serviceClusters(
  scope: Scope,
  service: Service,
  rules: readonly DestinationRule[],
  discovery: Discovery,
): ServiceClusters {
  const destination = destinationPolicy(rules);
  const clusters = new Map<string, Cluster>();
  const endpoints: ClusterLoadAssignment[] = [];
  for (const port of service.ports) {
    if (port.protocol === 'udp') continue;
    for (const subset of [undefined, ...destination.subsets]) {
      const policy = portPolicy(destination, subset, port.port);
      // TLS was asked for that is not there: without a cluster requests are answered with 503, never sent in plain text.
      if (policy.tls?.mode === 'UNAVAILABLE') continue;
      const how = discoveryFor(scope, policy, discovery);
      const made = cluster(scope, service, port, subset, policy, how);
      // A number that stands twice among the ports means the first.
      if (clusters.has(made.name)) continue;
      clusters.set(made.name, made);
      if (how === 'eds') endpoints.push(loadAssignment(scope, service, port, subset, policy));
    }
  }
  return { clusters: [...clusters.values()], endpoints };
}

/** Namespaces may see a service by rules of their own; as many are remembered for each service. */
const remembered = kept<Service, ServiceClusters>(16);

const authenticationsOf = indexedBy<PeerAuthentication>(({ meta }) => [meta.namespace]);

/** All that the clusters of a service follow from, and how to make them. */
export interface ClustersInMaking {
  readonly inputs: readonly unknown[];
  readonly make: () => ServiceClusters;
}

/** Undefined where a service has no clusters. */
export function clustersOf(scope: Scope, service: Service): ClustersInMaking | undefined {
  const { snapshot, view } = scope;
  const discovery = discoveryOf(scope, service);
  if (discovery === undefined) return undefined;
  const rules = rulesFor(snapshot, service, view.namespace, scope.proxy.instance.labels);
  const { meshConfig, peerAuthentications } = snapshot;
  const inputs = [
    meshConfig,
    discovery,
    discovery === 'dns' && lookupFamily(scope.proxy.instance),
    rules.some(asksForCapture) && isCaptured(scope),
    rules.length,
    ...rules,
    ...gatewayKeyPairs(scope, rules),
    ...nearness(scope, service, rules),
    ...workloadsOf(snapshot, service),
    authenticationsOf(peerAuthentications, service.meta.namespace),
    authenticationsOf(peerAuthentications, meshConfig.rootNamespace),
  ];
  return { inputs, make: () => serviceClusters(scope, service, rules, discovery) };
}

/** All services that have clusters: those that are seen, and authorizers. */
export function calledServices({ snapshot, view }: Scope): readonly Service[] {
  return [...view.services, ...unseenAuthorizers(snapshot, view)];
}

/** One cluster for each port of each visible service and of authorizers, and one more for each of its subsets; with their endpoints. */
export function outboundClusters(scope: Scope): ServiceClusters {
  const parts = calledServices(scope).flatMap((service) => {
    const found = clustersOf(scope, service);
    return found === undefined ? [] : [remembered.get(service, found.inputs, found.make)];
  });
  return { clusters: parts.flatMap((part) => part.clusters), endpoints: parts.flatMap((part) => part.endpoints) };
}
