import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Configured } from './evidence.ts';

/** @param since when the snapshot was published */
export function configuredIn(snapshot: Snapshot, namespace: string, since: number): Configured {
  const { rootNamespace } = snapshot.meshConfig;
  const concerns = ({ meta }: Pick<AuthorizationPolicy, 'meta'>): boolean =>
    meta.namespace === namespace || meta.namespace === rootNamespace;
  const workloads = snapshot.workloads.filter((workload) => workload.namespace === namespace);
  return {
    since,
    authorizationPolicies: snapshot.authorizationPolicies.filter(concerns),
    peerAuthentications: snapshot.peerAuthentications.filter(concerns),
    requestAuthentications: snapshot.requestAuthentications.filter(concerns),
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
