import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { TrustBundle } from '../../ca/bundle.ts';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type KnownKeys, NO_KEYS } from '../../policy/jwks/known.ts';
import { compileProxy } from '../../routing/compile.ts';
import { clusterHost } from '../../routing/names.ts';
import {
  CLUSTER,
  ENDPOINTS,
  encodeResource,
  EXTENSION_CONFIG,
  LISTENER,
  type ResourceSet,
  resourceSet,
  ROUTES,
  SECRET,
  VIRTUAL_HOST,
} from '../resource-set.ts';
import type { ScopeSet } from '../scope/scopes.ts';
import { absentCluster } from './absent.ts';
import { withoutRevoked } from './revoked-endpoints.ts';
import { asSelected } from './as-selected.ts';
import { discoveredSecurity, extensionResources } from './security.ts';
import { type HostDelivery, routeResources } from './routes.ts';
import { trustResource } from './trust.ts';

/**
 * All that one proxy is told under a snapshot and a trust bundle, encoded. Pure; what the compilers share between proxies (same message
 * object) is encoded once.
 * @param only what it has clusters for; it asks for others when a call needs them
 */
export function composeResources(
  snapshot: Snapshot,
  proxy: Proxy,
  bundle: TrustBundle,
  revoked: RevokedPeers,
  keys: KnownKeys = NO_KEYS,
  delivery: HostDelivery = 'inline',
  only?: ScopeSet,
): ResourceSet {
  const { security, extensions } = discoveredSecurity(snapshot, asSelected(proxy), revoked, keys);
  const compiled = compileProxy(snapshot, proxy, security, only !== undefined);
  const there = new Set(compiled.clusters.map(({ name }) => name));
  const absent = [...(only?.names ?? [])].filter((name) => !there.has(name)).map(absentCluster);
  const told = (name: string): boolean => {
    const host = only === undefined ? undefined : clusterHost(name);
    return host === undefined || only?.hosts.has(host) === true;
  };
  const endpoints = withoutRevoked(snapshot, revoked, compiled.endpoints);
  const { routes, hosts } = routeResources(compiled.routes, delivery);
  return resourceSet({
    [SECRET]: [trustResource(bundle)],
    [CLUSTER]: [
      ...compiled.clusters.filter(({ name }) => told(name)).map((cluster) => encodeResource(ClusterSchema, cluster)),
      ...absent,
    ],
    [ENDPOINTS]: endpoints
      .filter(({ clusterName }) => told(clusterName))
      .map((assignment) => encodeResource(ClusterLoadAssignmentSchema, assignment)),
    [EXTENSION_CONFIG]: extensionResources(extensions),
    [LISTENER]: compiled.listeners.map((listener) => encodeResource(ListenerSchema, listener)),
    [ROUTES]: routes,
    [VIRTUAL_HOST]: hosts,
  });
}
