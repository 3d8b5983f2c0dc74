import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { Service } from '../../mesh/model/service.ts';
import { clustersOf } from '../../routing/clusters/outbound.ts';
import { kept } from '../../routing/kept.ts';
import { hostInputs, type HostSite, virtualHostAt } from '../../routing/routes/sidecar.ts';
import type { Scope } from '../../routing/scope.ts';
import { type EncodedResource, encodeResource } from '../resource-set.ts';
import { cutOffAddresses, withoutRevoked } from './revoked-endpoints.ts';

/** What one service gives: its clusters, and the endpoints of those that get them by EDS. */
export interface Piece {
  readonly clusters: readonly EncodedResource[];
  readonly endpoints: readonly EncodedResource[];
}

const pieces = kept<Service, Piece>(32);

export function pieceOf(scope: Scope, revoked: RevokedPeers, service: Service): Piece | undefined {
  const found = clustersOf(scope, service);
  if (found === undefined) return undefined;
  return pieces.get(service, [cutOffAddresses(scope.snapshot, revoked), ...found.inputs], () => {
    const { clusters, endpoints } = found.make();
    return {
      clusters: clusters.map((cluster) => encodeResource(ClusterSchema, cluster)),
      endpoints: withoutRevoked(scope.snapshot, revoked, endpoints).map((assignment) =>
        encodeResource(ClusterLoadAssignmentSchema, assignment),
      ),
    };
  });
}

const sites = new WeakMap<EncodedResource, HostSite>();
const encodedHosts = kept<HostSite, EncodedResource>(32);

export function hostAt(scope: Scope, site: HostSite): EncodedResource {
  return encodedHosts.get(site, hostInputs(scope, site), () => {
    const name = fullName(site);
    const made = encodeResource(VirtualHostSchema, virtualHostAt(scope, site, name));
    sites.set(made, site);
    return made;
  });
}

const fullNames = new WeakMap<HostSite, string>();

/** As {@link nameOf}, the same string for the same place: thousands are looked for with each view. */
export function fullName(site: HostSite): string {
  const known = fullNames.get(site);
  if (known !== undefined) return known;
  const made = nameOf(site);
  fullNames.set(site, made);
  return made;
}

/** A virtual host's name as a resource. */
export function nameOf({ table, name }: Pick<HostSite, 'table' | 'name'>): string {
  return `${table}/${name}`;
}

/** `made`, or what there is already if that is the same. */
export function same(before: EncodedResource | undefined, made: EncodedResource): EncodedResource {
  return before?.version === made.version ? before : made;
}

/**
 * A virtual host, or what there is already if that is the same in the same place: in another one it may have the same bytes and follow from something else,
 * such as a VirtualService's own host that has become that of a service.
 */
export function sameHost(before: EncodedResource | undefined, made: EncodedResource): EncodedResource {
  return before?.version === made.version && sites.get(before) === sites.get(made) ? before : made;
}

/** Where a virtual host stands. */
export function siteOf(host: EncodedResource): HostSite | undefined {
  return sites.get(host);
}
