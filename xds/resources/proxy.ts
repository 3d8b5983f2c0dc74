import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { workloadOf } from '../../ca/identity/spiffe-id.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Instance, Workload } from '../../mesh/model/workload.ts';
import { keptBy } from '../../policy/kept.ts';

/** What a connected proxy says it is (its node id), and what its certificate proves: undefined where plain text proves nothing. */
export interface PodClaim {
  readonly kind: 'sidecar' | 'gateway';
  readonly namespace: string;
  readonly pod: string;
  readonly identity: SpiffeId | undefined;
  /** Its Envoy cannot take virtual hosts as resources of their own. */
  readonly hostsInline?: true;
}

/** An agent, which follows the trust bundle for itself. Any identity may: a bundle is public. */
export interface AgentClaim {
  readonly kind: 'agent';
  readonly identity: SpiffeId;
}

export type ProxyClaim = PodClaim | AgentClaim;

export type FoundProxy =
  | { readonly kind: 'found'; readonly proxy: Proxy }
  /** The pod is not in the mesh (yet): nothing to send, try again with the next snapshot. */
  | { readonly kind: 'unknown' }
  /** The pod is another identity's: its configuration must not be sent. */
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * The proxy a claim stands for. Only the certificate is believed: the node id merely chooses among the pods that run under
 * the certificate's own namespace and service account. Who comes in plain text (`serve --plaintext-xds`) is believed as it is.
 */
export function findProxy(snapshot: Snapshot, claim: PodClaim): FoundProxy {
  const { identity } = claim;
  const owner = identity === undefined ? undefined : workloadOf(identity);
  if (identity !== undefined && owner === undefined) return { kind: 'refused', reason: `${identity} is no workload's identity` };
  if (owner !== undefined && owner.namespace !== claim.namespace)
    return { kind: 'refused', reason: `${String(identity)} may not have what belongs to namespace ${claim.namespace}` };
  for (const workload of byPod(snapshot.workloads, `${claim.namespace}/${claim.pod}`)) {
    const instance = instancesOf(workload).get(claim.pod);
    if (instance === undefined) continue;
    if (owner !== undefined && workload.serviceAccount !== owner.serviceAccount) {
      return {
        kind: 'refused',
        reason: `pod ${claim.namespace}/${claim.pod} runs as ${workload.serviceAccount}, not as ${owner.serviceAccount}`,
      };
    }
    return { kind: 'found', proxy: { kind: claim.kind, workload, instance } };
  }
  return { kind: 'unknown' };
}

const byPod = indexedBy<Workload>(({ namespace, instances }) => instances.map(({ name }) => `${namespace}/${name}`));

/** The first of each name. */
const instancesOf = keptBy(
  ({ instances }: Workload): ReadonlyMap<string, Instance> =>
    new Map(instances.toReversed().map((instance) => [instance.name, instance])),
);
