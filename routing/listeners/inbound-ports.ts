import { keyOf, selects } from '../../mesh/model/object.ts';
import type { Port, Protocol } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import type { Scope } from '../scope.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';

/** One of a workload's own ports. */
export interface InboundPort {
  readonly port: Port;
  readonly protocol: Protocol;
  /** Where the application is called instead of at the port itself. */
  readonly endpoint?: { readonly address: string; readonly port: Port };
}

const servicesByNamespace = new WeakMap<Snapshot, ReadonlyMap<string, readonly Service[]>>();

function selectingServices(snapshot: Snapshot, namespace: string): readonly Service[] {
  let index = servicesByNamespace.get(snapshot);
  if (index === undefined) {
    index = Map.groupBy(
      snapshot.services.filter(({ selector, sliced }) => selector !== undefined || sliced !== undefined),
      (service) => service.meta.namespace,
    );
    servicesByNamespace.set(snapshot, index);
  }
  return index.get(namespace) ?? [];
}

/** The Services that bring traffic to a workload, oldest first. */
export function servicesOf(snapshot: Snapshot, workload: Workload): readonly Service[] {
  return selectingServices(snapshot, workload.namespace).filter((service) => {
    const { selector } = service;
    // Without a selector it is the slices that say whose traffic comes here.
    if (selector === undefined) return workloadsOf(snapshot, service).includes(workload);
    return Object.keys(selector).length > 0 && selects(selector, workload.labels);
  });
}

const kept = new WeakMap<Snapshot, Map<string, readonly InboundPort[]>>();

/**
 * The ports on which a workload takes traffic: those that Services send to, in the protocol of the first that names it, then
 * those that its containers declare. Sorted by number.
 */
export function inboundPorts(snapshot: Snapshot, workload: Workload): readonly InboundPort[] {
  const known = kept.get(snapshot) ?? new Map<string, readonly InboundPort[]>();
  kept.set(snapshot, known);
  const key = keyOf(workload);
  const before = known.get(key);
  if (before !== undefined) return before;
  const protocols = new Map<Port, Protocol>();
  const add = (port: Port | undefined, protocol: Protocol) => {
    if (port !== undefined && protocol !== 'udp' && !protocols.has(port)) protocols.set(port, protocol);
  };
  for (const service of servicesOf(snapshot, workload)) {
    for (const { name, targetPort, protocol } of service.ports) {
      if (service.selector !== undefined) add(containerPort(workload, targetPort), protocol);
      else for (const { ports } of service.sliced ?? []) add(ports[name], protocol);
    }
  }
  for (const { port, protocol } of workload.ports) add(port, protocol);
  const ports = [...protocols].map(([port, protocol]) => ({ port, protocol })).sort((a, b) => a.port - b.port);
  known.set(key, ports);
  return ports;
}

/** The ports on which a proxy takes traffic: those of its Sidecar, where it names some, else those of its workload. */
export function portsTaken({ snapshot, proxy, sidecar }: Scope): readonly InboundPort[] {
  if (sidecar === undefined || sidecar.ingress.length === 0) return inboundPorts(snapshot, proxy.workload);
  return sidecar.ingress
    .filter(({ protocol }) => protocol !== 'udp')
    .map(({ port, protocol, endpoint }) => ({ port, protocol, ...(endpoint === undefined ? {} : { endpoint }) }))
    .sort((a, b) => a.port - b.port);
}

/** Ports that are not among those taken but for which a PeerAuthentication of the namespace sets a mode of its own. */
export function otherPortsWithMode(snapshot: Snapshot, workload: Workload, taken: readonly InboundPort[]): readonly Port[] {
  const named = new Set<Port>(taken.map(({ port }) => port));
  const found = snapshot.peerAuthentications
    .filter(({ meta, selector }) => meta.namespace === workload.namespace && selects(selector, workload.labels))
    .flatMap(({ portLevel }) => [...portLevel.keys()])
    .filter((port) => !named.has(port));
  return [...new Set(found)].sort((a, b) => a - b);
}
