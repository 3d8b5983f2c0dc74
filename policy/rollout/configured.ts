import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { type Meta, selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { Configured } from './evidence.ts';

type Policy = { readonly meta: Meta };

const namespaceOf = ({ meta }: Policy): readonly string[] => [meta.namespace];
const authorizationPoliciesOf = indexedBy<Snapshot['authorizationPolicies'][number]>(namespaceOf);
const peerAuthenticationsOf = indexedBy<Snapshot['peerAuthentications'][number]>(namespaceOf);
const requestAuthenticationsOf = indexedBy<Snapshot['requestAuthentications'][number]>(namespaceOf);
const workloadsOf = indexedBy<Workload>(({ namespace }) => [namespace]);

/** Whether the same policies concern a namespace in both, at the cost of looking three lists up. */
export function decidedAlike(one: Snapshot, other: Snapshot, namespace: string): boolean {
  const { rootNamespace } = other.meshConfig;
  return [namespace, rootNamespace].every(
    (where) =>
      authorizationPoliciesOf(one.authorizationPolicies, where) === authorizationPoliciesOf(other.authorizationPolicies, where) &&
      peerAuthenticationsOf(one.peerAuthentications, where) === peerAuthenticationsOf(other.peerAuthentications, where) &&
      requestAuthenticationsOf(one.requestAuthentications, where) ===
        requestAuthenticationsOf(other.requestAuthentications, where),
  );
}

/**
 * What a snapshot says that concerns a namespace.
 * @param since when this configuration was seen first
 */
export function configuredIn(snapshot: Snapshot, namespace: string, since: number): Configured {
  const { rootNamespace } = snapshot.meshConfig;
  const concerning = <T extends Policy>(all: readonly T[], of: (all: readonly T[], key: string) => readonly T[]): readonly T[] =>
    namespace === rootNamespace ? of(all, namespace) : [...of(all, rootNamespace), ...of(all, namespace)];
  const workloads = workloadsOf(snapshot.workloads, namespace);
  return {
    since,
    snapshot,
    authorizationPolicies: concerning(snapshot.authorizationPolicies, authorizationPoliciesOf),
    peerAuthentications: concerning(snapshot.peerAuthentications, peerAuthenticationsOf),
    requestAuthentications: concerning(snapshot.requestAuthentications, requestAuthenticationsOf),
    rootNamespace,
    workloads,
    gateways: new Set(
      workloads
        .filter(({ labels }) =>
          snapshot.gateways.some(({ selector }) => Object.keys(selector).length > 0 && selects(selector, labels)),
        )
        .map(({ name }) => name),
    ),
  };
}
