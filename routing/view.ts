import { indexedBy } from '../mesh/model/indexed-by.ts';
import { covers, type Hostname } from '../mesh/model/hostname.ts';
import { LayeredMap } from '../mesh/model/layered-map.ts';
import type { MeshConfig } from '../mesh/model/mesh-config.ts';
import { keyOf } from '../mesh/model/object.ts';
import type { Service } from '../mesh/model/service.ts';
import type { Sidecar } from '../mesh/model/sidecar.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';
import type { ChangedLists } from './change.ts';
import { virtualServices } from './delegates.ts';
import { meantBy } from './same-host.ts';
import { importedServices, importsVirtualService } from './sidecar-scope.ts';
import { isMeshRouteOf, isServiceOf, type Layout, patchedLayout } from './view-layout.ts';

/** What of a snapshot is seen from one namespace: the same for all its proxies, so computed once. */
export interface View {
  readonly namespace: string;
  /** What happens to traffic that no service of the view claims. */
  readonly outboundTrafficPolicy: MeshConfig['outboundTrafficPolicy'];
  /** Visible services in snapshot order; of several with one host the first, the own namespace before others. */
  readonly services: readonly Service[];
  readonly serviceByHost: ReadonlyMap<Hostname, Service>;
  /** What stands behind Services that are other names of a host. */
  aliased(host: Hostname): Service | undefined;
  /** Visible VirtualServices bound to `mesh`, in snapshot order. */
  readonly meshVirtualServices: readonly VirtualService[];
  /** True where some port declares no protocol. */
  readonly sniffs: boolean;
  /** True where some wildcard's names are resolved when they are asked for. */
  readonly names: boolean;
  /**
   * The VirtualService that routes a host: the one naming it exactly, else the longest wildcard over it; of equals the first
   * (oldest). VirtualServices of several owners for one host are not merged in the mesh.
   */
  virtualServiceFor(host: Hostname): VirtualService | undefined;
  /** Of those seen, the one that is `namespace/name`. */
  virtualServiceNamed(key: string): VirtualService | undefined;
}

const views = new WeakMap<Snapshot, Map<string, View>>();

/** A Sidecar limits what its proxies see; those of a namespace without one share a view. */

export function viewFrom(snapshot: Snapshot, namespace: string, sidecar?: Sidecar): View {
  const known = views.get(snapshot) ?? new Map<string, View>();
  views.set(snapshot, known);
  const key = sidecar === undefined ? namespace : `${namespace} ${keyOf(sidecar.meta)}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = newView(snapshot, namespace, sidecar);
  known.set(key, made);
  return made;
}

const layouts = new WeakMap<View, Layout>();
const named = indexedBy<VirtualService>(({ meta }) => [keyOf(meta)]);

function viewOf(layout: Layout, virtuals: readonly VirtualService[]): View {
  const { byHost, wildcards, namespace, outboundTrafficPolicy, services, serviceByHost, sniffs, names } = layout;
  let seenKeys: ReadonlyMap<string, VirtualService> | undefined;
  const made: View = {
    namespace,
    outboundTrafficPolicy,
    services,
    serviceByHost,
    sniffs,
    names,
    aliased(host) {
      const target = layout.aliases.get(host);
      return target === undefined ? undefined : serviceByHost.get(target);
    },
    meshVirtualServices: layout.virtuals,
    virtualServiceFor(host) {
      const exact = byHost.get(host);
      if (exact !== undefined) return exact;
      const wildcard = wildcards.find((pattern) => covers(pattern, host));
      return wildcard === undefined ? undefined : byHost.get(wildcard);
    },
    virtualServiceNamed(key) {
      const all = named(virtuals, key);
      if (all.length === 0) return undefined;
      // What a Sidecar imports is told by the list alone.
      if (!layout.limited) return all.findLast((virtual) => isMeshRouteOf(virtual, namespace));
      seenKeys ??= new Map(layout.virtuals.map((virtual) => [keyOf(virtual.meta), virtual]));
      return seenKeys.get(key);
    },
  };
  layouts.set(made, layout);
  return made;
}

function newView(snapshot: Snapshot, namespace: string, sidecar: Sidecar | undefined): View {
  const virtuals = virtualServices(snapshot);
  const limited = sidecar !== undefined && sidecar.egress.length > 0;
  const seen = virtuals.filter(
    (virtual) => isMeshRouteOf(virtual, namespace) && (!limited || importsVirtualService(sidecar, virtual)),
  );
  const visible = snapshot.services.filter((service) => isServiceOf(service, namespace));
  const imported = limited ? importedServices(sidecar, visible, seen, namespace) : visible;
  const serviceByHost = new Map<Hostname, Service>();
  const shared = new Map<Hostname, Service[]>();
  for (const service of imported) {
    const { hostname } = service;
    const first = serviceByHost.get(hostname);
    if (first === undefined) serviceByHost.set(hostname, service);
    else shared.set(hostname, [...(shared.get(hostname) ?? [first]), service]);
  }
  for (const [host, candidates] of shared) {
    const service = meantBy(candidates, namespace);
    if (service !== undefined) serviceByHost.set(host, service);
  }
  const services = [...serviceByHost.values()];
  const aliases = new Map<Hostname, Hostname>();
  for (const { hostname, aliases: own = [] } of services) for (const alias of own) aliases.set(alias, hostname);
  const byHost = new Map<Hostname, VirtualService>();
  for (const virtual of seen) for (const host of virtual.hosts) if (!byHost.has(host)) byHost.set(host, virtual);
  const wildcards = [...byHost.keys()].filter((host) => host.startsWith('*')).sort((a, b) => b.length - a.length);
  const outboundTrafficPolicy = sidecar?.outboundTrafficPolicy ?? snapshot.meshConfig.outboundTrafficPolicy;
  const sniffs = services.some(({ ports }) => ports.some(({ protocol }) => protocol === 'unknown'));
  return viewOf(
    {
      namespace,
      outboundTrafficPolicy,
      services,
      serviceByHost: LayeredMap.of(serviceByHost),
      sniffs,
      names: services.some(({ resolution }) => resolution === 'names'),
      aliases,
      limited,
      virtuals: seen,
      byHost: LayeredMap.of(byHost),
      wildcards,
    },
    virtuals,
  );
}

/** A view after a change that touches nothing but what came, went or was replaced. Undefined where that cannot be said of this view. */
export function changedView(view: View, lists: ChangedLists): View | undefined {
  const layout = layouts.get(view);
  const patched = layout && patchedLayout(layout, lists);
  return patched && viewOf(patched, lists.after.virtuals);
}
