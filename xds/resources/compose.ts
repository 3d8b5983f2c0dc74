import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { compileProxy } from '../../routing/compile.ts';
import { CLUSTER, ENDPOINTS, encodeResource, LISTENER, type ResourceSet, resourceSet, ROUTES } from '../resource-set.ts';
import { inboundSecurity } from './security.ts';

/**
 * All that one proxy is told under a snapshot, encoded. Pure; what the compilers share between proxies (same message
 * object) is encoded once.
 */
export function composeResources(snapshot: Snapshot, proxy: Proxy): ResourceSet {
  const compiled = compileProxy(snapshot, proxy, inboundSecurity(snapshot, proxy.workload));
  return resourceSet({
    [CLUSTER]: compiled.clusters.map((cluster) => encodeResource(ClusterSchema, cluster)),
    [ENDPOINTS]: compiled.endpoints.map((assignment) => encodeResource(ClusterLoadAssignmentSchema, assignment)),
    [LISTENER]: compiled.listeners.map((listener) => encodeResource(ListenerSchema, listener)),
    [ROUTES]: compiled.routes.map((routes) => encodeResource(RouteConfigurationSchema, routes)),
  });
}
