import { podNames } from '../../mesh/model/endpoints.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { isHttp } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import type { ChangedLists } from '../../routing/change.ts';
import { HTTP_PROXY } from '../../routing/names.ts';
import { type HostSite, mayBeHttp, serviceSites, siteName } from '../../routing/routes/sidecar.ts';
import type { Scope } from '../../routing/scope.ts';
import type { View } from '../../routing/view.ts';
import type { EncodedResource } from '../resource-set.ts';
import type { Outbound, Routes } from './outbound.ts';
import { hostAt, nameOf, sameHost, siteOf } from './pieces.ts';

type Tables = Pick<Outbound, 'routes' | 'hosts' | 'routed'>;

function tableOf({ proxy }: Scope, port: number): string {
  return proxy.instance.capture.kind === 'explicit' ? HTTP_PROXY : String(port);
}

/** Names of a service's virtual hosts, by table. The one of the service itself stands behind those of its pods. */
export function namesOf(scope: Scope, service: Service): ReadonlyMap<string, readonly string[]> {
  const { hostname, ports } = service;
  const pods = [...podNames(scope.snapshot, service), undefined];
  const names = ports.filter(mayBeHttp).flatMap(({ port }) => {
    const table = tableOf(scope, port);
    return pods.map((pod) => ({ table, name: nameOf({ table, name: siteName(hostname, port, pod) }) }));
  });
  const tables = Map.groupBy(names, ({ table }) => table);
  return new Map([...tables].map(([table, all]) => [table, [...new Set(all.map(({ name }) => name))]]));
}

function isOfService(name: string, hosts: Outbound['hosts']): boolean {
  const host = hosts.get(name);
  const site = host && siteOf(host);
  return site !== undefined && site.virtual === undefined;
}

/** Where the virtual hosts of a service go: behind those of the nearest service before it that has some there. */
function placeIn(order: readonly string[], table: string, at: number, scope: Scope, hosts: Outbound['hosts']): number {
  const { services } = scope.view;
  for (let before = at - 1; before >= 0; before -= 1) {
    const service = services[before];
    const name =
      service &&
      namesOf(scope, service)
        .get(table)
        ?.findLast((one) => hosts.has(one));
    const place = name === undefined ? -1 : order.lastIndexOf(name);
    if (place >= 0) return place + 1;
  }
  const first = order.findIndex((name) => isOfService(name, hosts));
  // The last is what takes all other hosts.
  return first < 0 ? order.length - 1 : first;
}

/** Whether some service of a view still has a port's shared listener. */
function isShared(order: readonly string[], table: string, { view }: Scope, hosts: Outbound['hosts']): boolean {
  if (table === HTTP_PROXY) return true;
  return order.some((name) => {
    const host = hosts.get(name);
    const site = host && siteOf(host);
    if (site === undefined || site.virtual !== undefined) return false;
    // Of those alone whose protocol is declared it is certain.
    const ports = view.serviceByHost.get(site.host)?.ports ?? [];
    return ports.some(({ port, protocol }) => port === site.port && isHttp(protocol));
  });
}

const seenIn = (view: View, service: Service): boolean => view.serviceByHost.get(service.hostname) === service;

/**
 * The tables of a view after services and VirtualServices came and went that touch nothing else (`isPlainChange`).
 * @param before as patched so far
 * @param scope with the view as it is now
 * @returns undefined where a port would get its first service or lose its last: listeners come and go with them
 */
export function patchedTables(before: Tables, old: View, scope: Scope, { services, virtuals }: ChangedLists): Tables | undefined {
  const { view } = scope;
  if (services.left.length + services.arrived.size + virtuals.left.length + virtuals.arrived.size === 0) return before;
  const orders = new Map(before.routes.map(({ empty, order }) => [empty.name, [...order]]));
  const changed = new Map<string, EncodedResource | undefined>();
  const lost = new Set<string>();
  for (const service of services.left) {
    if (!seenIn(old, service)) continue;
    for (const [table, names] of namesOf(scope, service)) {
      const order = orders.get(table);
      if (order === undefined) return undefined;
      for (const name of names) {
        const at = order.indexOf(name);
        if (at < 0) return undefined;
        order.splice(at, 1);
        changed.set(name, undefined);
      }
      lost.add(table);
    }
  }
  for (const service of services.arrived.keys()) {
    if (!seenIn(view, service)) continue;
    const at = view.services.indexOf(service);
    for (const [table, sites] of serviceSites(scope, service)) {
      const order = orders.get(table);
      if (order === undefined) return undefined;
      const names = sites.map(nameOf);
      order.splice(placeIn(order, table, at, scope, before.hosts.with(changed)), 0, ...names);
      for (const [index, site] of sites.entries()) add(changed, before, names[index] ?? '', scope, site);
    }
  }
  const hosts = before.hosts.with(changed);
  for (const table of lost) if (!isShared(orders.get(table) ?? [], table, scope, hosts)) return undefined;
  const rerouted = new Map<string, EncodedResource>();
  for (const virtual of [...virtuals.left, ...virtuals.arrived.keys()]) {
    for (const name of routedBy(scope, virtual, hosts)) {
      const host = hosts.get(name);
      const site = host && siteOf(host);
      if (host !== undefined && site !== undefined) rerouted.set(name, sameHost(host, hostAt(scope, site)));
    }
  }
  const routed = new Map<string, readonly string[] | undefined>();
  const touched = new Set([...virtuals.left, ...virtuals.arrived.keys()]);
  for (const service of [...services.left, ...services.arrived.keys()]) {
    for (const seen of [old, view]) {
      const virtual = seen.virtualServiceFor(service.hostname);
      if (virtual !== undefined) touched.add(virtual);
    }
  }
  for (const virtual of touched) {
    const names = view.virtualServiceNamed(keyOf(virtual.meta)) === undefined ? [] : routedBy(scope, virtual, hosts);
    routed.set(keyOf(virtual.meta), names.length === 0 ? undefined : names);
  }
  for (const virtual of virtuals.arrived.keys()) {
    const names = view.virtualServiceNamed(keyOf(virtual.meta)) === virtual ? routedBy(scope, virtual, hosts) : [];
    routed.set(keyOf(virtual.meta), names.length === 0 ? undefined : names);
  }
  return {
    routes: before.routes.map((one) => withOrder(one, orders.get(one.empty.name) ?? one.order)),
    hosts: hosts.with(rerouted),
    routed: before.routed.with(routed),
  };
}

function add(into: Map<string, EncodedResource | undefined>, before: Tables, name: string, scope: Scope, site: HostSite): void {
  into.set(name, sameHost(before.hosts.get(name), hostAt(scope, site)));
}

function withOrder(routes: Routes, order: readonly string[]): Routes {
  const same = order.length === routes.order.length && order.every((name, at) => name === routes.order[at]);
  return same ? routes : { ...routes, order };
}

/** Virtual hosts of the services that a VirtualService names. */
function routedBy(scope: Scope, virtual: VirtualService, hosts: Outbound['hosts']): readonly string[] {
  return virtual.hosts.flatMap((host) => {
    const service = scope.view.serviceByHost.get(host);
    if (service === undefined) return [];
    return [...namesOf(scope, service).values()].flat().filter((name) => hosts.has(name));
  });
}
