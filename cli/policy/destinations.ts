import { isHttp } from '../../mesh/model/port.ts';
import { keyOf, selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { Destination } from '../../policy/access/world.ts';
import { inboundPorts, servicesOf } from '../../routing/listeners/inbound-ports.ts';

type Protocols = Destination['ports'];

/** A port whose protocol nobody says is sniffed: both are spoken there. */
function portsOf(snapshot: Snapshot, workload: Workload): Protocols {
  return inboundPorts(snapshot, workload).flatMap(({ port, protocol }): Protocols => {
    if (protocol === 'unknown') {
      return [
        { port, protocol: 'HTTP' },
        { port, protocol: 'TCP' },
      ];
    }
    return [{ port, protocol: isHttp(protocol) ? 'HTTP' : 'TCP' }];
  });
}

export function destinationOf(snapshot: Snapshot, workload: Workload): Destination {
  const { namespace, labels } = workload;
  const services = servicesOf(snapshot, workload);
  const hosts = services.flatMap(({ meta, hostname }) => [meta.name, hostname]);
  return { name: keyOf(workload), namespace, labels, ports: portsOf(snapshot, workload), hosts: [...new Set(hosts)] };
}

function written(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

/** Workloads that policies are about and that are not in the input: by their labels, or any of a namespace. */
function absent({ workloads, authorizationPolicies, peerAuthentications, meshConfig }: Snapshot): readonly Destination[] {
  const found = new Map<string, Destination>();
  const add = (namespace: string, labels: Readonly<Record<string, string>>): void => {
    const name = `${namespace}/(${Object.keys(labels).length === 0 ? 'any workload' : written(labels)})`;
    found.set(name, { name, namespace, labels, ports: [], hosts: [] });
  };
  for (const { meta, selector } of [...authorizationPolicies, ...peerAuthentications]) {
    const { namespace } = meta;
    const everywhere = namespace === meshConfig.rootNamespace;
    const selected = workloads.some(
      (workload) => (everywhere || workload.namespace === namespace) && selects(selector, workload.labels),
    );
    if (!selected && !(everywhere && workloads.length > 0 && Object.keys(selector).length === 0)) add(namespace, selector);
  }
  return [...found.values()];
}

/** Everything that calls can go to, in the order of names. */
export function destinationsIn(snapshot: Snapshot): readonly Destination[] {
  const all = [...snapshot.workloads.map((workload) => destinationOf(snapshot, workload)), ...absent(snapshot)];
  return all.toSorted((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** SPIFFE IDs without their scheme of the workloads that are there. */
export function identitiesIn({ workloads, meshConfig }: Snapshot): readonly string[] {
  const ids = workloads.map(({ namespace, serviceAccount }) => `${meshConfig.trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
  return [...new Set(ids)].sort();
}
