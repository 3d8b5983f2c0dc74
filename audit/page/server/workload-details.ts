import { workloadSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { keyOf } from '../../../mesh/model/object.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import { workloadMtlsSetting } from '../../../policy/peer-authentication/mode.ts';
import { policiesFor } from '../../../policy/select.ts';
import type { CertificateSummary, ProxySummary, WorkloadDetails } from '../api/details.ts';
import { callersOf } from './access.ts';
import type { ObservedLine } from './observed.ts';

const MOST_INSTANCES = 50;
const MOST_POLICIES = 100;

/** All about one workload of the snapshot. */
export function workloadDetailsOf(
  workload: Workload,
  lines: readonly ObservedLine[],
  snapshot: Snapshot,
  proxies: readonly ProxySummary[],
  certificates: ReadonlyMap<string, CertificateSummary> | undefined,
): WorkloadDetails {
  const { namespace, name, serviceAccount, labels, image, instances } = workload;
  const identity = workloadSpiffeId(snapshot.meshConfig.trustDomain, namespace, serviceAccount);
  const pods = new Set(instances.map((instance) => `${instance.name}.${namespace}`));
  const { mode, setBy } = workloadMtlsSetting(snapshot, workload);
  const certificate = certificates?.get(identity);
  return {
    id: `workload:${namespace}/${name}`,
    namespace,
    name,
    identity,
    labels,
    image: image ?? null,
    instances: instances
      .slice(0, MOST_INSTANCES)
      .map(({ name: instance, address, ready, meshed }) => ({ name: instance, address, ready, meshed })),
    mtls: { mode, setBy: setBy ?? null },
    policies: policiesFor(snapshot, workload)
      .slice(0, MOST_POLICIES)
      .map(({ meta, action, dryRun }) => ({ policy: keyOf(meta), action, dryRun })),
    proxies: proxies.filter(({ pod }) => pods.has(pod)),
    certificates: certificate === undefined ? [] : [certificate],
    callers: callersOf(lines, snapshot, workload),
  };
}
