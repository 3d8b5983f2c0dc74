import { clone } from '@bufbuild/protobuf';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import type { LbEndpoint } from '#gen/envoy/config/endpoint/v3/endpoint_components_pb.js';
import { workloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

interface CutOff {
  readonly snapshot: Snapshot;
  readonly addresses: ReadonlySet<string>;
  /** What other proxies were told already: assignments are shared between them. */
  readonly made: WeakMap<ClusterLoadAssignment, ClusterLoadAssignment>;
}

const kept = new WeakMap<RevokedPeers, CutOff>();

function cutOff(snapshot: Snapshot, revoked: RevokedPeers): CutOff {
  const known = kept.get(revoked);
  if (known?.snapshot === snapshot) return known;
  const identities = new Set<string>(revoked.identities);
  const { trustDomain } = snapshot.meshConfig;
  const addresses = new Set<string>();
  for (const { namespace, serviceAccount, instances } of snapshot.workloads) {
    const meshed = instances.filter((instance) => instance.meshed);
    if (meshed.length === 0 || !identities.has(workloadSpiffeId(trustDomain, namespace, serviceAccount))) continue;
    for (const { address } of meshed) addresses.add(address);
  }
  const made = { snapshot, addresses, made: new WeakMap<ClusterLoadAssignment, ClusterLoadAssignment>() };
  kept.set(revoked, made);
  return made;
}

function addressOf({ hostIdentifier }: LbEndpoint): string | undefined {
  const address = hostIdentifier.case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
  return address?.case === 'socketAddress' ? address.value.address : undefined;
}

/**
 * Without the endpoints of revoked identities. A revoked server's certificate is refused on new connections anyway; without its endpoint
 * callers also leave the connections that they have open to it.
 */
export function withoutRevoked(
  snapshot: Snapshot,
  revoked: RevokedPeers,
  assignments: readonly ClusterLoadAssignment[],
): readonly ClusterLoadAssignment[] {
  if (revoked.identities.length === 0) return assignments;
  const { addresses, made } = cutOff(snapshot, revoked);
  if (addresses.size === 0) return assignments;
  const isCut = (endpoint: LbEndpoint): boolean => addresses.has(addressOf(endpoint) ?? '');
  return assignments.map((assignment) => {
    const known = made.get(assignment);
    if (known !== undefined) return known;
    if (!assignment.endpoints.some(({ lbEndpoints }) => lbEndpoints.some(isCut))) return assignment;
    const copy = clone(ClusterLoadAssignmentSchema, assignment);
    for (const locality of copy.endpoints) locality.lbEndpoints = locality.lbEndpoints.filter((endpoint) => !isCut(endpoint));
    copy.endpoints = copy.endpoints.filter(({ lbEndpoints }) => lbEndpoints.length > 0);
    made.set(assignment, copy);
    return copy;
  });
}
