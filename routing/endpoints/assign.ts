import { create } from '@bufbuild/protobuf';
import { HealthStatus } from '#gen/envoy/config/core/v3/health_check_pb.js';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { type LbEndpoint, LbEndpointSchema } from '#gen/envoy/config/endpoint/v3/endpoint_components_pb.js';
import type { Subset } from '../../mesh/model/destination-rule.ts';
import { type Endpoint, endpointsOf } from '../../mesh/model/endpoints.ts';
import type { Locality } from '../../mesh/model/load-balancer.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import type { PortPolicy } from '../clusters/traffic-policy.ts';
import { outboundCluster } from '../names.ts';
import { type Scope, workloadNamed } from '../scope.ts';
import { endpointAddress, needsNoResolution, socketAddress } from '../wire/address.ts';
import { balancing, callerLocality } from './locality.ts';
import { chosenBy } from './one-of.ts';
import { localityName, localityOf, nearestFirst, shares } from './nearness.ts';

/** The endpoint metadata that chooses between mTLS and plain text (Envoy's `transport_socket_matches`). */
export const TLS_MODE = 'tlsMode';
const MATCH_METADATA = 'envoy.transport_socket_match';

/** Toward this endpoint callers use mTLS: it has an identity and does not turn mTLS off on that port. */
function takesMtls(scope: Scope, endpoint: Endpoint): boolean {
  if (!endpoint.meshed) return false;
  const workload = endpoint.workload === undefined ? undefined : workloadNamed(scope.snapshot, endpoint.workload);
  return workload === undefined || scope.security.peerMtlsMode(workload, endpoint.port) !== 'DISABLE';
}

function lbEndpoint(endpoint: Endpoint, mtls: boolean, choosable: boolean): LbEndpoint {
  return create(LbEndpointSchema, {
    hostIdentifier: { case: 'endpoint', value: { address: endpointAddress(endpoint.address, endpoint.port) } },
    healthStatus: HealthStatus.HEALTHY,
    ...(endpoint.weight > 1 ? { loadBalancingWeight: endpoint.weight } : {}),
    ...(mtls || choosable
      ? {
          metadata: {
            filterMetadata: {
              ...(mtls ? { [MATCH_METADATA]: { [TLS_MODE]: 'istio' } } : {}),
              ...(choosable ? chosenBy(endpoint) : {}),
            },
          },
        }
      : {}),
  });
}

function group(
  scope: Scope,
  service: Service,
  endpoints: readonly Endpoint[],
  rest: Omit<LocalityGroup, 'lbEndpoints'>,
): LocalityGroup {
  return {
    lbEndpoints: endpoints.map((endpoint) => lbEndpoint(endpoint, takesMtls(scope, endpoint), service.headless === true)),
    ...rest,
  };
}

interface LocalityGroup {
  readonly lbEndpoints: LbEndpoint[];
  readonly priority?: number;
  readonly locality?: Locality;
  readonly loadBalancingWeight?: number;
}

/** Endpoints in groups: by share where localities have shares, else by nearness where outlier detection can tell when to go on. */
function grouped(scope: Scope, service: Service, endpoints: readonly Endpoint[], policy: PortPolicy): LocalityGroup[] {
  const [first] = endpoints;
  if (first === undefined) return [];
  const setting = balancing(scope, policy);
  if (setting === undefined) return [group(scope, service, endpoints, {})];
  const split = shares(endpoints, callerLocality(scope), setting.distribute);
  if (split !== undefined) {
    return split.map((share) => {
      const [one] = share.endpoints;
      return group(scope, service, share.endpoints, {
        ...(one === undefined ? {} : { locality: localityOf(one) }),
        loadBalancingWeight: share.weight,
      });
    });
  }
  if (policy.outlierDetection === undefined) return [group(scope, service, endpoints, {})];
  const caller = { locality: callerLocality(scope), labels: scope.proxy.instance.labels };
  return nearestFirst(endpoints, caller, setting).flatMap((near, priority) =>
    [...Map.groupBy(near, (endpoint) => localityName(localityOf(endpoint))).values()].map((place) => {
      const [one] = place;
      return group(scope, service, place, {
        ...(priority > 0 ? { priority } : {}),
        ...(one?.locality === undefined ? {} : { locality: one.locality }),
      });
    }),
  );
}

/** The ready endpoints of a service's port, or of those that a subset's labels choose. Empty is an answer too: 503. */
export function loadAssignment(
  scope: Scope,
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  policy: PortPolicy,
): ClusterLoadAssignment {
  const name = outboundCluster(port.port, subset?.name, service.hostname);
  return assignment(scope, service, endpointsBehind(scope, service, port, subset), policy, name);
}

/** Those of them that take the mesh's mutual TLS, for what passes it on. */
export function meshedAssignment(
  scope: Scope,
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  policy: PortPolicy,
  clusterName: string,
): ClusterLoadAssignment {
  const meshed = endpointsBehind(scope, service, port, subset).filter((endpoint) => takesMtls(scope, endpoint));
  return assignment(scope, service, meshed, policy, clusterName);
}

function endpointsBehind(scope: Scope, service: Service, port: ServicePort, subset: Subset | undefined): readonly Endpoint[] {
  return endpointsOf(scope.snapshot, service, port).filter(
    (endpoint) => needsNoResolution(endpoint.address) && (subset === undefined || selects(subset.labels, endpoint.labels)),
  );
}

function assignment(
  scope: Scope,
  service: Service,
  found: readonly Endpoint[],
  policy: PortPolicy,
  clusterName: string,
): ClusterLoadAssignment {
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: grouped(scope, service, found, policy).map(({ locality, ...rest }) => ({
      ...rest,
      ...(locality === undefined
        ? {}
        : { locality: { region: locality.region, zone: locality.zone, subZone: locality.subzone } }),
    })),
  });
}

/** Addresses that Envoy resolves itself: the endpoints given, or of the workloads that it selects, else the host. */
export function staticAssignment(
  { snapshot }: Pick<Scope, 'snapshot'>,
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  clusterName: string,
): ClusterLoadAssignment {
  const itself = service.endpoints.length === 0 && (service.selector === undefined || service.resolution === 'none');
  const lbEndpoints = itself
    ? [{ address: socketAddress(service.hostname, port.port), weight: 1 }]
    : endpointsOf(snapshot, service, port)
        .filter((endpoint) => subset === undefined || selects(subset.labels, endpoint.labels))
        .map(({ address, port: number, weight }) => ({ address: endpointAddress(address, number), weight }));
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [
      {
        lbEndpoints: lbEndpoints.map(({ address, weight }) => ({
          hostIdentifier: { case: 'endpoint' as const, value: { address } },
          ...(weight > 1 ? { loadBalancingWeight: weight } : {}),
        })),
      },
    ],
  });
}
