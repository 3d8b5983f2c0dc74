import { familyOf } from '../../model/families.ts';
import { keyOf } from '../../model/object.ts';
import type { WorkloadEntry } from '../../model/workload-entry.ts';
import type { Workload } from '../../model/workload.ts';

/** Made once for each entry, so that an unchanged one keeps its identity from snapshot to snapshot. */
const made = new WeakMap<WorkloadEntry, Workload>();

/** A WorkloadEntry as what it stands for: a workload with one instance, which has a proxy where its labels say so, as a pod. */
function workloadOfEntry(entry: WorkloadEntry): Workload {
  const before = made.get(entry);
  if (before !== undefined) return before;
  const { meta, address, labels, serviceAccount, locality, ports, weight } = entry;
  const workload: Workload = Object.freeze({
    meta,
    namespace: meta.namespace,
    name: meta.name,
    serviceAccount,
    labels,
    annotations: meta.annotations,
    probes: [],
    hasProxy: false,
    ports: [],
    image: undefined,
    replicas: 1,
    instances:
      address === undefined
        ? []
        : Object.freeze([
            {
              name: meta.name,
              address,
              labels,
              ready: true,
              meshed: labels['security.istio.io/tlsMode'] === 'istio',
              capture: { kind: 'redirect' as const },
              bindAddress: familyOf(address) === 'IPv6' ? '::' : '0.0.0.0',
              ...(locality === undefined ? {} : { locality }),
            },
          ]),
    servicePorts: ports,
    weight: weight === 0 ? 1 : weight,
  });
  made.set(entry, workload);
  return workload;
}

/** Workloads and those that WorkloadEntries stand for. One of a Deployment's name would be a second workload under it; the Deployment has it. */
export function withEntries(workloads: readonly Workload[], entries: readonly WorkloadEntry[]): readonly Workload[] {
  if (entries.length === 0) return workloads;
  const taken = new Set(workloads.map((one) => keyOf(one)));
  return [...workloads, ...entries.filter(({ meta }) => !taken.has(keyOf(meta))).map(workloadOfEntry)];
}
