import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { selects } from '../../mesh/model/object.ts';
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

/** By namespace; those that bring traffic to nothing are left out. */
const bringing = indexedBy<Service>(({ meta, selector, sliced }) =>
  selector !== undefined || sliced !== undefined ? [meta.namespace] : [],
);

interface Brought {
  readonly from: readonly Service[];
  readonly workloads: readonly Workload[];
  readonly found: readonly Service[];
}

const brought = new WeakMap<Workload, Brought>();

/** The Services that bring traffic to a workload, oldest first. */
export function servicesOf(snapshot: Snapshot, workload: Workload): readonly Service[] {
  const from = bringing(snapshot.services, workload.namespace);
  const known = brought.get(workload);
  if (known?.from === from && known.workloads === snapshot.workloads) return known.found;
  const found = from.filter((service) => {
    const { selector } = service;
    // Without a selector it is the slices that say whose traffic comes here.
    if (selector === undefined) return workloadsOf(snapshot, service).includes(workload);
    return Object.keys(selector).length > 0 && selects(selector, workload.labels);
  });
  brought.set(workload, { from, workloads: snapshot.workloads, found });
  return found;
}

/**
 * The ports on which a workload takes traffic: those that Services send to, in the protocol of the first that names it, then
 * those that its containers declare. Sorted by number.
 */
export function inboundPorts(snapshot: Snapshot, workload: Workload): readonly InboundPort[] {
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
  return [...protocols].map(([port, protocol]) => ({ port, protocol })).sort((a, b) => a.port - b.port);
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
