import { type Labels, selects } from './object.ts';
import type { Port } from './port.ts';
import type { Service, ServicePort } from './service.ts';
import type { Snapshot } from './snapshot.ts';
import { containerPort, type Workload } from './workload.ts';

/** One address behind a service port. */
export interface Endpoint {
  readonly address: string;
  readonly port: Port;
  readonly labels: Labels;
  readonly weight: number;
  readonly meshed: boolean;
  readonly namespace: string;
  readonly serviceAccount: string | undefined;
  readonly workload: string | undefined;
}

const byNamespace = new WeakMap<Snapshot, ReadonlyMap<string, readonly Workload[]>>();

function workloadsIn(snapshot: Snapshot, namespace: string): readonly Workload[] {
  let index = byNamespace.get(snapshot);
  if (index === undefined) {
    index = Map.groupBy(snapshot.workloads, (workload) => workload.namespace);
    byNamespace.set(snapshot, index);
  }
  return index.get(namespace) ?? [];
}

const selected = new WeakMap<Snapshot, WeakMap<Service, readonly Workload[]>>();

/** The workloads that a Service selects: those of its namespace whose labels it names. */
export function workloadsOf(snapshot: Snapshot, service: Service): readonly Workload[] {
  const { selector } = service;
  if (selector === undefined) return [];
  const known = selected.get(snapshot) ?? new WeakMap<Service, readonly Workload[]>();
  selected.set(snapshot, known);
  const before = known.get(service);
  if (before !== undefined) return before;
  const found = workloadsIn(snapshot, service.meta.namespace).filter((workload) => selects(selector, workload.labels));
  known.set(service, found);
  return found;
}

/** Every ready address behind a service port, in a stable order. */
export function endpointsOf(snapshot: Snapshot, service: Service, port: ServicePort): readonly Endpoint[] {
  const found: Endpoint[] = service.endpoints.map((endpoint) => ({
    address: endpoint.address,
    port: endpoint.ports[port.name] ?? port.port,
    labels: endpoint.labels,
    weight: endpoint.weight,
    meshed: false,
    namespace: service.meta.namespace,
    serviceAccount: endpoint.serviceAccount,
    workload: undefined,
  }));
  for (const workload of workloadsOf(snapshot, service)) {
    const target = containerPort(workload, port.targetPort);
    if (target === undefined) continue;
    for (const instance of workload.instances) {
      if (!instance.ready) continue;
      found.push({
        address: instance.address,
        port: target,
        labels: instance.labels,
        weight: 1,
        meshed: instance.meshed,
        namespace: workload.namespace,
        serviceAccount: workload.serviceAccount,
        workload: `${workload.namespace}/${workload.name}`,
      });
    }
  }
  return found;
}
