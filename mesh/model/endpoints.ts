import type { Locality } from './load-balancer.ts';
import { type Labels, selects } from './object.ts';
import type { Port } from './port.ts';
import type { Service, ServicePort, StaticEndpoint } from './service.ts';
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
  readonly locality: Locality | undefined;
}

/** Workloads by namespace, made once for each list of workloads: snapshots in which none changed share the list. */
const byNamespace = new WeakMap<readonly Workload[], ReadonlyMap<string, readonly Workload[]>>();

function workloadsIn(workloads: readonly Workload[], namespace: string): readonly Workload[] {
  let index = byNamespace.get(workloads);
  if (index === undefined) {
    index = Map.groupBy(workloads, (workload) => workload.namespace);
    byNamespace.set(workloads, index);
  }
  return index.get(namespace) ?? [];
}

/** What each Service selects, for each list of workloads. */
const selections = new WeakMap<readonly Workload[], WeakMap<Service, readonly Workload[]>>();

/** The workloads that a Service selects: those of its namespace whose labels it names. */
export function workloadsOf(snapshot: Snapshot, service: Service): readonly Workload[] {
  const { selector } = service;
  if (selector === undefined) return [];
  const { workloads } = snapshot;
  const known = selections.get(workloads) ?? new WeakMap<Service, readonly Workload[]>();
  selections.set(workloads, known);
  const before = known.get(service);
  if (before !== undefined) return before;
  const found = workloadsIn(workloads, service.meta.namespace).filter((workload) => selects(selector, workload.labels));
  known.set(service, found);
  return found;
}

/** Whether an endpoint was written for a port. */
export function serves({ port }: ServicePort): (endpoint: StaticEndpoint) => boolean {
  return ({ servicePorts }) => servicePorts === undefined || servicePorts.includes(port);
}

/** Every ready address behind a service port, in a stable order. */
export function endpointsOf(snapshot: Snapshot, service: Service, port: ServicePort): readonly Endpoint[] {
  const found: Endpoint[] = service.endpoints.filter(serves(port)).map((endpoint) => ({
    address: endpoint.address,
    port: endpoint.ports[port.name] ?? port.port,
    labels: endpoint.labels,
    weight: endpoint.weight,
    meshed: false,
    namespace: service.meta.namespace,
    serviceAccount: endpoint.serviceAccount,
    workload: undefined,
    locality: endpoint.locality,
  }));
  for (const workload of workloadsOf(snapshot, service)) {
    const target = workload.servicePorts?.[port.name] ?? containerPort(workload, port.targetPort);
    if (target === undefined) continue;
    for (const instance of workload.instances) {
      if (!instance.ready) continue;
      found.push({
        address: instance.address,
        port: target,
        labels: instance.labels,
        weight: workload.weight ?? 1,
        meshed: instance.meshed,
        namespace: workload.namespace,
        serviceAccount: workload.serviceAccount,
        workload: `${workload.namespace}/${workload.name}`,
        locality: instance.locality,
      });
    }
  }
  return found;
}
