import { addressesOf as addressesOfInstance } from '../../mesh/model/families.ts';
import { clone } from '@bufbuild/protobuf';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import type { LbEndpoint } from '#gen/envoy/config/endpoint/v3/endpoint_components_pb.js';
import { workloadOf, workloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';

interface CutOff {
  readonly workloads: Snapshot['workloads'];
  readonly trustDomain: string;
  readonly addresses: ReadonlySet<string>;
  /** What other proxies were told already: assignments are shared between them. */
  readonly made: WeakMap<ClusterLoadAssignment, ClusterLoadAssignment>;
  readonly lists: WeakMap<readonly ClusterLoadAssignment[], readonly ClusterLoadAssignment[]>;
}

const kept = new WeakMap<RevokedPeers, CutOff>();

const byAccount = indexedBy<Workload>(({ namespace, serviceAccount }) => [`${namespace}/${serviceAccount}`]);

/** The addresses of those that run as a revoked identity and have a proxy that shows it. */
function addressesOf({ workloads, meshConfig }: Snapshot, { identities }: RevokedPeers): ReadonlySet<string> {
  const addresses = new Set<string>();
  for (const identity of identities) {
    const owner = workloadOf(identity);
    if (owner === undefined) continue;
    const { namespace, serviceAccount } = owner;
    if (workloadSpiffeId(meshConfig.trustDomain, namespace, serviceAccount) !== identity) continue;
    for (const { instances } of byAccount(workloads, `${namespace}/${serviceAccount}`))
      for (const instance of instances)
        if (instance.meshed) for (const address of addressesOfInstance(instance)) addresses.add(address);
  }
  return addresses;
}

function cutOff(snapshot: Snapshot, revoked: RevokedPeers): CutOff {
  const { workloads } = snapshot;
  const { trustDomain } = snapshot.meshConfig;
  const known = kept.get(revoked);
  if (known?.workloads === workloads && known.trustDomain === trustDomain) return known;
  const addresses = addressesOf(snapshot, revoked);
  const same = known?.addresses.size === addresses.size && [...addresses].every((one) => known.addresses.has(one));
  const before = same ? known : { addresses, made: new WeakMap(), lists: new WeakMap() };
  const made: CutOff = { ...before, workloads, trustDomain };
  kept.set(revoked, made);
  return made;
}

const NOBODY: ReadonlySet<string> = new Set();

/** The addresses that nobody is to call; the same set as long as they are the same. */
export function cutOffAddresses(snapshot: Snapshot, revoked: RevokedPeers): ReadonlySet<string> {
  const { addresses } = revoked.identities.length === 0 ? { addresses: NOBODY } : cutOff(snapshot, revoked);
  return addresses.size === 0 ? NOBODY : addresses;
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
  const { addresses, made, lists } = cutOff(snapshot, revoked);
  if (addresses.size === 0) return assignments;
  const before = lists.get(assignments);
  if (before !== undefined) return before;
  const isCut = (endpoint: LbEndpoint): boolean => addresses.has(addressOf(endpoint) ?? '');
  const left = assignments.map((assignment) => {
    const known = made.get(assignment);
    if (known !== undefined) return known;
    if (!assignment.endpoints.some(({ lbEndpoints }) => lbEndpoints.some(isCut))) return assignment;
    const copy = clone(ClusterLoadAssignmentSchema, assignment);
    for (const locality of copy.endpoints) locality.lbEndpoints = locality.lbEndpoints.filter((endpoint) => !isCut(endpoint));
    copy.endpoints = copy.endpoints.filter(({ lbEndpoints }) => lbEndpoints.length > 0);
    made.set(assignment, copy);
    return copy;
  });
  lists.set(assignments, left);
  return left;
}
