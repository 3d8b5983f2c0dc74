import { covers, type Hostname } from '../mesh/model/hostname.ts';
import type { Proxy } from '../mesh/model/proxy.ts';
import type { Service, Visibility } from '../mesh/model/service.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';
import type { Workload } from '../mesh/model/workload.ts';
import type { InboundSecurity } from './security.ts';

/** What one proxy sees of a snapshot, computed once and handed to every pass. */
export interface Scope {
  readonly snapshot: Snapshot;
  readonly proxy: Proxy;
  readonly security: InboundSecurity;
  /** Visible services in snapshot order; of several with one host the first, the proxy's own namespace before others. */
  readonly services: readonly Service[];
  readonly serviceByHost: ReadonlyMap<Hostname, Service>;
  /** Visible VirtualServices bound to `mesh`, in snapshot order. */
  readonly meshVirtualServices: readonly VirtualService[];
  /** By `namespace/name`. */
  readonly workloads: ReadonlyMap<string, Workload>;
}

/** True when an object of `home` that is exported so may be seen from `namespace`. */
export function visibleFrom(exportTo: Visibility, home: string, namespace: string): boolean {
  switch (exportTo.kind) {
    case 'all':
      return true;
    case 'namespaces':
      // Admission has resolved `.`; an object always sees its own namespace only if it says so (`~` exports to none).
      return exportTo.namespaces.includes(namespace) || (exportTo.namespaces.includes('.') && home === namespace);
    default:
      return exportTo satisfies never;
  }
}

export function scopeOf(snapshot: Snapshot, proxy: Proxy, security: InboundSecurity): Scope {
  const namespace = proxy.workload.namespace;
  const serviceByHost = new Map<Hostname, Service>();
  for (const service of snapshot.services) {
    if (!visibleFrom(service.exportTo, service.meta.namespace, namespace)) continue;
    const known = serviceByHost.get(service.hostname);
    if (known === undefined || (known.meta.namespace !== namespace && service.meta.namespace === namespace))
      serviceByHost.set(service.hostname, service);
  }
  const meshVirtualServices = snapshot.virtualServices.filter(
    (virtual) => virtual.gateways.includes('mesh') && visibleFrom(virtual.exportTo, virtual.meta.namespace, namespace),
  );
  const workloads = new Map(snapshot.workloads.map((workload) => [`${workload.namespace}/${workload.name}`, workload]));
  return { snapshot, proxy, security, services: [...serviceByHost.values()], serviceByHost, meshVirtualServices, workloads };
}

/**
 * The VirtualService that routes a host: the one naming it exactly, else the longest wildcard over it; of equals the first
 * (oldest). VirtualServices of several owners for one host are not merged in the mesh.
 */
export function virtualServiceFor(candidates: readonly VirtualService[], host: Hostname): VirtualService | undefined {
  let best: { readonly virtual: VirtualService; readonly length: number } | undefined;
  for (const virtual of candidates) {
    for (const pattern of virtual.hosts) {
      if (pattern === host) return virtual;
      if (covers(pattern, host) && (best === undefined || pattern.length > best.length))
        best = { virtual, length: pattern.length };
    }
  }
  return best?.virtual;
}
