import type { Route } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { VirtualHost_TlsRequirementType } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import type { Hostname } from '../../mesh/model/hostname.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import type { Port } from '../../mesh/model/port.ts';
import { isCatchAll } from '../routes/match.ts';
import { kept } from '../kept.ts';
import { routeConfiguration, virtualInputs } from '../routes/sidecar.ts';
import { VirtualHosts } from '../routes/virtual-hosts.ts';
import { virtualServiceRoutes } from '../routes/virtual-service.ts';
import type { Scope } from '../scope.ts';
import { visibleFrom } from '../visibility.ts';
import { commonHosts, shortNames } from './hosts.ts';
import type { Served } from './servers.ts';
import { virtualServices } from '../delegates.ts';

interface HostRoutes {
  readonly routes: Route[];
  httpsRedirect: boolean;
}

/** Several VirtualServices may share a host of a gateway: their routes follow each other, those that take everything last. */
function ordered(routes: readonly Route[]): Route[] {
  const takesAll = (route: Route) => route.match !== undefined && isCatchAll(route.match);
  return [...routes.filter((route) => !takesAll(route)), ...routes.filter(takesAll).slice(0, 1)];
}

/** By VirtualService, for each server that takes requests for it. */
const remembered = kept<VirtualService, Route[]>(64);

function collect(scope: Scope, served: readonly Served[]): ReadonlyMap<Hostname, HostRoutes> {
  const hosts = new Map<Hostname, HostRoutes>();
  const home = scope.proxy.workload.namespace;
  // A VirtualService that is reached by several servers of one port gives its routes to a host once.
  const done = new Set<string>();
  for (const { gateway, name, server } of served) {
    const site = { port: server.port, gateways: new Set([name]) };
    for (const virtual of virtualServices(scope.snapshot)) {
      if (!virtual.gateways.includes(name) || !visibleFrom(virtual.exportTo, virtual.meta.namespace, home)) continue;
      const common = commonHosts(server, gateway.meta.namespace, virtual).filter(
        (host) => !done.has(`${host} ${virtual.meta.namespace}/${virtual.meta.name}`),
      );
      if (common.length === 0) continue;
      const inputs = [name, server.port, ...virtualInputs(scope, virtual)];
      const routes = remembered.get(virtual, inputs, () => virtualServiceRoutes(scope, site, virtual));
      for (const host of common) {
        done.add(`${host} ${virtual.meta.namespace}/${virtual.meta.name}`);
        const entry = hosts.get(host) ?? { routes: [], httpsRedirect: false };
        hosts.set(host, entry);
        entry.routes.push(...routes);
        entry.httpsRedirect ||= server.httpsRedirect;
      }
    }
    // A redirect to HTTPS needs no VirtualService.
    if (server.httpsRedirect)
      for (const { host } of server.hosts) if (!hosts.has(host)) hosts.set(host, { routes: [], httpsRedirect: true });
  }
  return hosts;
}

/** The routes of the servers that share them. A host that no VirtualService claims is answered with 404. */
export function gatewayRouteConfiguration(scope: Scope, name: string, port: Port, served: readonly Served[]): RouteConfiguration {
  const hosts = new VirtualHosts();
  const found = [...collect(scope, served)];
  const add = (name: string, domains: readonly string[], { routes, httpsRedirect }: HostRoutes) =>
    hosts.add(name, domains, ordered(routes), httpsRedirect ? { requireTls: VirtualHost_TlsRequirementType.ALL } : {});
  for (const [host, entry] of found) add(`${host}:${port}`, [host], entry);
  // Short names last: a host that somebody claims in full is never taken by them.
  for (const [host, entry] of found) {
    add(`${host}:${port} short`, shortNames(host, scope.snapshot.meshConfig.clusterDomain), entry);
  }
  return routeConfiguration(name, hosts.all(), true);
}
