import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_EdsClusterConfigSchema,
  ClusterSchema,
} from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { type FilterChain, FilterChainSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { DestinationRule, Subset } from '../../mesh/model/destination-rule.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import { covers } from '../../mesh/model/hostname.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import { circuitBreakers } from '../clusters/connection-pool.ts';
import { CONNECT_TIMEOUT_MS } from '../clusters/fixed.ts';
import { loadBalancing } from '../clusters/load-balancer.ts';
import { outlierDetection } from '../clusters/outlier-detection.ts';
import { rulesFor } from '../clusters/rules.ts';
import { destinationPolicy, type PortPolicy, portPolicy } from '../clusters/traffic-policy.ts';
import { meshedAssignment } from '../endpoints/assign.ts';
import { nearness } from '../endpoints/locality.ts';
import { kept } from '../kept.ts';
import { tcpProxy } from '../listeners/tcp.ts';
import { outboundSni } from '../names.ts';
import type { Scope } from '../scope.ts';
import { MESH_ANY } from '../tls/alpn.ts';
import { adsSource } from '../wire/config-source.ts';
import { duration } from '../wire/duration.ts';
import { boundPorts, type Served } from './servers.ts';

/** One port of a Service, or of a subset of it, under the name by which a caller's TLS asks for it. */
interface Named {
  readonly sni: string;
  readonly port: ServicePort;
  readonly subset: Subset | undefined;
  readonly policy: PortPolicy;
}

function namedIn(service: Service, rules: readonly DestinationRule[]): readonly Named[] {
  const destination = destinationPolicy(rules);
  return service.ports
    .filter(({ protocol }) => protocol !== 'udp')
    .flatMap((port) =>
      [undefined, ...destination.subsets].map((subset) => ({
        sni: outboundSni(port.port, subset?.name, service.hostname),
        port,
        subset,
        policy: portPolicy(destination, subset, port.port),
      })),
    );
}

/** Services of the mesh that a server lets through: those among its hosts, of the namespace that it names beside them. */
function letThrough({ gateway, server }: Served, { meta, hostname }: Service): boolean {
  return server.hosts.some(
    ({ namespace, host }) =>
      (namespace === '*' || namespace === meta.namespace || (namespace === '.' && gateway.meta.namespace === meta.namespace)) &&
      covers(host, hostname),
  );
}

function servedSo(scope: Scope): readonly Served[] {
  return boundPorts(scope).flatMap(({ served }) => served.filter(({ server }) => server.tls.kind === 'auto-passthrough'));
}

const reachable = ({ external, resolution }: Service) => !external && resolution === 'endpoints';

function rulesToward({ snapshot, view, proxy }: Scope, service: Service): readonly DestinationRule[] {
  return rulesFor(snapshot, service, view.namespace, proxy.instance.labels);
}

/**
 * Mutual TLS of the mesh that goes through as it is, to the Service, port and subset that its server name says (Istio's AUTO_PASSTHROUGH):
 * no other TLS matches.
 */
export function autoPassthroughChains(scope: Scope, served: Served): FilterChain[] {
  return scope.view.services
    .filter((service) => reachable(service) && letThrough(served, service))
    .flatMap((service) =>
      namedIn(service, rulesToward(scope, service)).map(({ sni }) =>
        create(FilterChainSchema, {
          filterChainMatch: { serverNames: [sni], transportProtocol: 'tls', applicationProtocols: [...MESH_ANY] },
          filters: [...scope.security.networkFilters(), tcpProxy('gateway', sni, sni)],
        }),
      ),
    );
}

interface Clusters {
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly ClusterLoadAssignment[];
}

function cluster({ sni, policy }: Named): Cluster {
  const { connectionPool, outlierDetection: outliers } = policy;
  return create(ClusterSchema, {
    name: sni,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: create(Cluster_EdsClusterConfigSchema, { edsConfig: adsSource(), serviceName: sni }),
    ...loadBalancing(policy.loadBalancer),
    connectTimeout: duration(connectionPool?.connectTimeoutMs ?? CONNECT_TIMEOUT_MS),
    circuitBreakers: circuitBreakers(connectionPool, policy.retryBudget),
    commonLbConfig: { healthyPanicThreshold: { value: outliers?.minHealthPercent ?? 0 } },
    ...(outliers === undefined ? {} : { outlierDetection: outlierDetection(outliers) }),
  });
}

const remembered = kept<Service, Clusters>(4);

/** The clusters behind those chains: bytes to endpoints that take the mesh's mutual TLS, and to no others. */
export function autoPassthroughClusters(scope: Scope): Clusters {
  const served = scope.proxy.kind === 'gateway' ? servedSo(scope) : [];
  if (served.length === 0) return { clusters: [], endpoints: [] };
  const { snapshot, view } = scope;
  const parts = view.services
    .filter((service) => reachable(service) && served.some((one) => letThrough(one, service)))
    .map((service) => {
      const rules = rulesToward(scope, service);
      const inputs = [
        snapshot.meshConfig,
        rules.length,
        ...rules,
        ...nearness(scope, service, rules),
        ...workloadsOf(snapshot, service),
        ...snapshot.peerAuthentications,
      ];
      return remembered.get(service, inputs, () => {
        const named = namedIn(service, rules);
        return {
          clusters: named.map(cluster),
          endpoints: named.map(({ sni, port, subset, policy }) => meshedAssignment(scope, service, port, subset, policy, sni)),
        };
      });
    });
  return { clusters: parts.flatMap((part) => part.clusters), endpoints: parts.flatMap((part) => part.endpoints) };
}
