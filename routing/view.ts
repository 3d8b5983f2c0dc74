import { covers, type Hostname } from '../mesh/model/hostname.ts';
import type { MeshConfig } from '../mesh/model/mesh-config.ts';
import { keyOf } from '../mesh/model/object.ts';
import type { Service } from '../mesh/model/service.ts';
import type { Sidecar } from '../mesh/model/sidecar.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';
import { virtualServices } from './delegates.ts';
import { meantBy } from './same-host.ts';
import { importedServices, importsVirtualService } from './sidecar-scope.ts';
import { visibleFrom } from './visibility.ts';

/** What of a snapshot is seen from one namespace: the same for all its proxies, so computed once. */
export interface View {
  readonly namespace: string;
  /** What happens to traffic that no service of the view claims. */
  readonly outboundTrafficPolicy: MeshConfig['outboundTrafficPolicy'];
  /** Visible services in snapshot order; of several with one host the first, the own namespace before others. */
  readonly services: readonly Service[];
  readonly serviceByHost: ReadonlyMap<Hostname, Service>;
  /** Visible VirtualServices bound to `mesh`, in snapshot order. */
  readonly meshVirtualServices: readonly VirtualService[];
  /**
   * The VirtualService that routes a host: the one naming it exactly, else the longest wildcard over it; of equals the first
   * (oldest). VirtualServices of several owners for one host are not merged in the mesh.
   */
  virtualServiceFor(host: Hostname): VirtualService | undefined;
}

const views = new WeakMap<Snapshot, Map<string, View>>();

/** A Sidecar limits what its proxies see; those of a namespace without one share a view. */

export function viewFrom(snapshot: Snapshot, namespace: string, sidecar?: Sidecar): View {
  const known = views.get(snapshot) ?? new Map<string, View>();
  views.set(snapshot, known);
  const key = sidecar === undefined ? namespace : `${namespace} ${keyOf(sidecar.meta)}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = view(snapshot, namespace, sidecar);
  known.set(key, made);
  return made;
}

function view(snapshot: Snapshot, namespace: string, sidecar: Sidecar | undefined): View {
  const seen = virtualServices(snapshot).filter(
    (virtual) => virtual.gateways.includes('mesh') && visibleFrom(virtual.exportTo, virtual.meta.namespace, namespace),
  );
  const limited = sidecar !== undefined && sidecar.egress.length > 0;
  const meshVirtualServices = limited ? seen.filter((virtual) => importsVirtualService(sidecar, virtual)) : seen;
  const visible = snapshot.services.filter(({ exportTo, meta }) => visibleFrom(exportTo, meta.namespace, namespace));
  const imported = limited ? importedServices(sidecar, visible, meshVirtualServices, namespace) : visible;
  const serviceByHost = new Map<Hostname, Service>();
  for (const [host, candidates] of Map.groupBy(imported, ({ hostname }) => hostname)) {
    const service = meantBy(candidates, namespace);
    if (service !== undefined) serviceByHost.set(host, service);
  }
  const byHost = new Map<Hostname, VirtualService>();
  for (const virtual of meshVirtualServices) for (const host of virtual.hosts) if (!byHost.has(host)) byHost.set(host, virtual);
  const wildcards = [...byHost.keys()].filter((host) => host.startsWith('*')).sort((a, b) => b.length - a.length);
  return {
    namespace,
    outboundTrafficPolicy: sidecar?.outboundTrafficPolicy ?? snapshot.meshConfig.outboundTrafficPolicy,
    services: [...serviceByHost.values()],
    serviceByHost,
    meshVirtualServices,
    virtualServiceFor(host) {
      const pattern = byHost.has(host) ? host : wildcards.find((wildcard) => covers(wildcard, host));
      return pattern === undefined ? undefined : byHost.get(pattern);
    },
  };
}
