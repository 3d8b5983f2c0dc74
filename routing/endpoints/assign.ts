import { create } from '@bufbuild/protobuf';
import { HealthStatus } from '#gen/envoy/config/core/v3/health_check_pb.js';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { type LbEndpoint, LbEndpointSchema } from '#gen/envoy/config/endpoint/v3/endpoint_components_pb.js';
import type { Subset } from '../../mesh/model/destination-rule.ts';
import { type Endpoint, endpointsOf } from '../../mesh/model/endpoints.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import { outboundCluster } from '../names.ts';
import { type Scope, workloadNamed } from '../scope.ts';
import { socketAddress } from '../wire/address.ts';

/** The endpoint metadata that chooses between mTLS and plain text (Envoy's `transport_socket_matches`). */
export const TLS_MODE = 'tlsMode';
const MATCH_METADATA = 'envoy.transport_socket_match';

/** Toward this endpoint callers use mTLS: it has an identity and does not turn mTLS off on that port. */
function takesMtls(scope: Scope, endpoint: Endpoint): boolean {
  if (!endpoint.meshed) return false;
  const workload = endpoint.workload === undefined ? undefined : workloadNamed(scope.snapshot, endpoint.workload);
  return workload === undefined || scope.security.peerMtlsMode(workload, endpoint.port) !== 'DISABLE';
}

function lbEndpoint(endpoint: Endpoint, mtls: boolean): LbEndpoint {
  return create(LbEndpointSchema, {
    hostIdentifier: { case: 'endpoint', value: { address: socketAddress(endpoint.address, endpoint.port) } },
    healthStatus: HealthStatus.HEALTHY,
    ...(endpoint.weight > 1 ? { loadBalancingWeight: endpoint.weight } : {}),
    ...(mtls ? { metadata: { filterMetadata: { [MATCH_METADATA]: { [TLS_MODE]: 'istio' } } } } : {}),
  });
}

/** The ready endpoints of a service's port, or of those that a subset's labels choose. Empty is an answer too: 503. */
export function loadAssignment(
  scope: Scope,
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
): ClusterLoadAssignment {
  const found = endpointsOf(scope.snapshot, service, port).filter(
    (endpoint) => subset === undefined || selects(subset.labels, endpoint.labels),
  );
  return create(ClusterLoadAssignmentSchema, {
    clusterName: outboundCluster(port.port, subset?.name, service.hostname),
    endpoints:
      found.length === 0 ? [] : [{ lbEndpoints: found.map((endpoint) => lbEndpoint(endpoint, takesMtls(scope, endpoint))) }],
  });
}

/** Addresses that Envoy resolves itself: the endpoints given, else the host. */
export function staticAssignment(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  clusterName: string,
): ClusterLoadAssignment {
  const given = service.endpoints.filter((endpoint) => subset === undefined || selects(subset.labels, endpoint.labels));
  const lbEndpoints =
    service.endpoints.length === 0
      ? [{ address: socketAddress(service.hostname, port.port), weight: 1 }]
      : given.map((endpoint) => ({
          address: socketAddress(endpoint.address, endpoint.ports[port.name] ?? port.port),
          weight: endpoint.weight,
        }));
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
