import { indexedBy } from '../mesh/model/indexed-by.ts';
import type { Hostname } from '../mesh/model/hostname.ts';
import type { LayeredMap } from '../mesh/model/layered-map.ts';
import type { MeshConfig } from '../mesh/model/mesh-config.ts';
import type { Service } from '../mesh/model/service.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';
import type { ChangedLists } from './change.ts';
import { isCovered } from './plain-change.ts';
import { visibleFrom } from './visibility.ts';

/** What a view is made of. */
export interface Layout {
  readonly namespace: string;
  /** A Sidecar says what is seen. */
  readonly limited: boolean;
  readonly outboundTrafficPolicy: MeshConfig['outboundTrafficPolicy'];
  readonly services: readonly Service[];
  readonly serviceByHost: LayeredMap<Hostname, Service>;
  readonly sniffs: boolean;
  readonly names: boolean;
  /** Other names of hosts. */
  readonly aliases: ReadonlyMap<Hostname, Hostname>;
  /** VirtualServices that are seen, in the snapshot's order. */
  readonly virtuals: readonly VirtualService[];
  readonly byHost: LayeredMap<Hostname, VirtualService>;
  readonly wildcards: readonly Hostname[];
}

export function isServiceOf({ aliasOf, exportTo, meta }: Service, namespace: string): boolean {
  return aliasOf === undefined && visibleFrom(exportTo, meta.namespace, namespace);
}

export function isMeshRouteOf({ gateways, exportTo, meta }: VirtualService, namespace: string): boolean {
  return gateways.includes('mesh') && visibleFrom(exportTo, meta.namespace, namespace);
}

const ofHost = indexedBy<Service>(({ hostname }) => [hostname]);
const naming = indexedBy<VirtualService>(({ hosts }) => hosts);

/** A copy of a list with another value in the place of one; the list itself when there is nothing to do. */
function inPlace<T>(list: readonly T[], replaced: readonly (readonly [T, T])[]): T[] {
  const next = [...list];
  for (const [before, after] of replaced) {
    const at = next.indexOf(before);
    if (at >= 0) next[at] = after;
  }
  return next;
}

type Services = Pick<Layout, 'services' | 'serviceByHost'>;

function patchedServices(layout: Layout, { services: { replaced, left, arrived }, after }: ChangedLists): Services | undefined {
  const { namespace } = layout;
  const hosts = new Map<Hostname, Service | undefined>();
  const held = (host: Hostname): Service | undefined => (hosts.has(host) ? hosts.get(host) : layout.serviceByHost.get(host));
  const pairs: (readonly [Service, Service])[] = [];
  for (const [before, now] of replaced) {
    const seen = held(before.hostname);
    // Not seen from here.
    if (seen === undefined) continue;
    // Made of several, or of some of its ports; or with other names.
    if (seen !== before || before.aliases !== now.aliases) return undefined;
    pairs.push([before, now]);
    hosts.set(now.hostname, now);
  }
  if (pairs.length + left.length + arrived.size === 0) return layout;
  const services = inPlace(layout.services, pairs);
  for (const service of left) {
    if (!isServiceOf(service, namespace)) continue;
    if (held(service.hostname) !== service) return undefined;
    services.splice(services.indexOf(service), 1);
    hosts.set(service.hostname, undefined);
  }
  const come = [...arrived].filter(([service]) => isServiceOf(service, namespace));
  for (const [service] of come) {
    if (held(service.hostname) !== undefined) return undefined;
    hosts.set(service.hostname, service);
  }
  // From the last on, so that what follows is in its place.
  for (const [service, at] of come.toReversed()) {
    let place = services.length;
    for (let next = at + 1; next < after.services.length; next += 1) {
      const other = after.services[next];
      if (other === undefined || held(other.hostname) === undefined || !isServiceOf(other, namespace)) continue;
      // Of several of one host the place is that of the first.
      if (ofHost(after.services, other.hostname).length > 1) return undefined;
      place = services.indexOf(other);
      break;
    }
    if (place < 0) return undefined;
    services.splice(place, 0, service);
  }
  return { services, serviceByHost: layout.serviceByHost.with(hosts) };
}

type Virtuals = Pick<Layout, 'virtuals' | 'byHost'>;

function patchedVirtuals(layout: Layout, { virtuals: { replaced, left, arrived }, after }: ChangedLists): Virtuals | undefined {
  const { namespace, wildcards } = layout;
  if (replaced.size + left.length + arrived.size === 0) return layout;
  const hosts = new Map<Hostname, VirtualService | undefined>();
  const routes = (host: Hostname): VirtualService | undefined => (hosts.has(host) ? hosts.get(host) : layout.byHost.get(host));
  const pairs = [...replaced].filter(([one]) => isMeshRouteOf(one, namespace));
  const virtuals = inPlace(layout.virtuals, pairs);
  for (const [before, now] of pairs) for (const host of now.hosts) if (routes(host) === before) hosts.set(host, now);
  for (const virtual of left) {
    if (!isMeshRouteOf(virtual, namespace)) continue;
    const at = virtuals.indexOf(virtual);
    if (at < 0 || virtual.hosts.some((host) => routes(host) !== virtual || isCovered(host, wildcards))) return undefined;
    virtuals.splice(at, 1);
    for (const host of virtual.hosts) hosts.set(host, undefined);
  }
  for (const [virtual, at] of [...arrived].toReversed()) {
    if (!isMeshRouteOf(virtual, namespace)) continue;
    if (virtual.hosts.some((host) => routes(host) !== undefined || isCovered(host, wildcards))) return undefined;
    for (const host of virtual.hosts) hosts.set(host, virtual);
    let place = virtuals.length;
    for (let next = at + 1; next < after.virtuals.length; next += 1) {
      const other = after.virtuals[next];
      if (other === undefined || !isMeshRouteOf(other, namespace)) continue;
      place = virtuals.indexOf(other);
      break;
    }
    if (place < 0) return undefined;
    virtuals.splice(place, 0, virtual);
  }
  return { virtuals, byHost: layout.byHost.with(hosts) };
}

/** Whether none of the VirtualServices that are touched stands, before or after, for a host that is no service: those have other places. */
function routesServices(before: Layout, now: Layout, { services, virtuals }: ChangedLists): boolean {
  const { namespace } = before;
  const all = (virtual: VirtualService, { serviceByHost }: Layout): boolean =>
    virtual.hosts.every((host) => serviceByHost.has(host));
  const hosts = [...services.left, ...services.arrived.keys()]
    .filter((service) => isServiceOf(service, namespace))
    .map(({ hostname }) => hostname);
  return (
    virtuals.left.every((virtual) => !isMeshRouteOf(virtual, namespace) || all(virtual, before)) &&
    [...virtuals.arrived.keys()].every((virtual) => !isMeshRouteOf(virtual, namespace) || all(virtual, now)) &&
    hosts.every((host) => {
      if (isCovered(host, before.wildcards)) return false;
      // Also those that do not route it, as another one comes before them: the ports of a service that they name are those of their other hosts.
      return (
        naming(before.virtuals, host).every((virtual) => all(virtual, before)) &&
        naming(now.virtuals, host).every((virtual) => all(virtual, now))
      );
    })
  );
}

/** Undefined where more than what came, went or was replaced has another place, or where that cannot be told. */
export function patchedLayout(layout: Layout, lists: ChangedLists): Layout | undefined {
  const { left, arrived } = lists.services;
  const moves = left.length + arrived.size + lists.virtuals.left.length + lists.virtuals.arrived.size > 0;
  if (moves && layout.limited) return undefined;
  const services = patchedServices(layout, lists);
  const virtuals = patchedVirtuals(layout, lists);
  if (services === undefined || virtuals === undefined) return undefined;
  if (services === layout && virtuals === layout) return layout;
  const made: Layout = {
    ...layout,
    services: services.services,
    serviceByHost: services.serviceByHost,
    virtuals: virtuals.virtuals,
    byHost: virtuals.byHost,
  };
  return moves && !routesServices(layout, made, lists) ? undefined : made;
}
