import { create } from '@bufbuild/protobuf';
import { type RouteConfiguration, RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import type { Route, VirtualHost } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import { isHttp, parsePort, type Port } from '../../mesh/model/port.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import { HTTP_PROXY, outboundCluster } from '../names.ts';
import type { Scope } from '../scope.ts';
import type { RouteSite } from './applies.ts';
import { hostNames, serviceNames } from './domains.ts';
import { addFallback } from './fallback.ts';
import { hashPolicies } from './hash-policy.ts';
import { plainRoute } from './plain.ts';
import { VirtualHosts } from './virtual-hosts.ts';
import { virtualServiceRoutes } from './virtual-service.ts';

const MESH: ReadonlySet<string> = new Set(['mesh']);
/** Longest body of a direct response, bytes (Istio's figure; Envoy's own default is 4 KiB). */
const DIRECT_RESPONSE_BYTES = 1_048_576;

/** Ports on which HTTP may be spoken: declared so, or undeclared and sniffed. */
export function mayBeHttp(port: ServicePort): boolean {
  return isHttp(port.protocol) || port.protocol === 'unknown';
}

/** @param ignorePort match hosts whatever port they name: right where one configuration serves one port */
export function routeConfiguration(name: string, virtualHosts: VirtualHost[], ignorePort: boolean): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts,
    // A route to a cluster that does not exist fails those calls only, not the whole configuration.
    validateClusters: false,
    ignorePortInHostMatching: ignorePort,
    maxDirectResponseBodySizeBytes: DIRECT_RESPONSE_BYTES,
  });
}

/** The routes of one service port: its VirtualService's, else straight to the service. */
export function serviceRoutes(scope: Scope, service: Service, port: Port): Route[] {
  const site: RouteSite = { port, gateways: MESH };
  const virtual = scope.view.virtualServiceFor(service.hostname);
  return virtual === undefined || virtual.http.length === 0
    ? [
        plainRoute(
          outboundCluster(port, undefined, service.hostname),
          scope.snapshot.meshConfig.defaults?.retries,
          hashPolicies(scope, [{ host: service.hostname, subset: undefined, port }], port),
        ),
      ]
    : virtualServiceRoutes(scope, site, virtual);
}

interface OtherHost {
  readonly virtual: VirtualService;
  readonly host: Hostname;
  readonly ports: readonly Port[];
}

const PORT_80 = parsePort(80);

/**
 * Hosts of VirtualServices that stand for no service. They are reached on the ports of the services that the same VirtualService names
 * besides, else on port 80 alone, as in Istio.
 */
function hostsWithoutService({ view }: Scope): readonly OtherHost[] {
  const standsForNone = (host: Hostname) =>
    host !== '*' &&
    !view.serviceByHost.has(host) &&
    !(host.startsWith('*') && view.services.some((service) => covers(host, service.hostname)));
  return view.meshVirtualServices.flatMap((virtual) => {
    const beside = virtual.hosts.flatMap(
      (host) => (view.serviceByHost.get(host) ?? view.aliased(host))?.ports.filter(mayBeHttp) ?? [],
    );
    const ports = beside.length > 0 ? [...new Set(beside.map(({ port }) => port))] : PORT_80 === undefined ? [] : [PORT_80];
    // An alias without routes for HTTP of its own goes where its host does.
    const own = (host: Hostname) => virtual.http.length > 0 || view.aliased(host) === undefined;
    return virtual.hosts.filter((host) => standsForNone(host) && own(host)).map((host) => ({ virtual, host, ports }));
  });
}

/** A host that a VirtualService names as it is goes before the short names of services: `web.shop` may be named so. */
function addOthers(
  scope: Scope,
  hosts: VirtualHosts,
  only: Port | undefined,
  domains: (name: string, port: Port) => readonly string[],
) {
  for (const { virtual, host, ports } of hostsWithoutService(scope)) {
    for (const port of ports) {
      if (only !== undefined && port !== only) continue;
      const routes = virtualServiceRoutes(scope, { port, gateways: MESH }, virtual);
      // The short names of an alias stay with what it stands for, as in Istio.
      const names =
        scope.view.aliased(host) !== undefined
          ? [host, `${host}.`]
          : hostNames(host, scope.proxy, scope.snapshot.meshConfig.clusterDomain);
      hosts.add(
        `${host}:${port}`,
        names.flatMap((name) => domains(name, port)),
        routes,
      );
    }
  }
}

/** Captured traffic: the routes of one port, with a virtual host for each service that has it. */
export function portRoutes(scope: Scope, port: Port, services: readonly Service[]): RouteConfiguration {
  const hosts = new VirtualHosts();
  const { clusterDomain } = scope.snapshot.meshConfig;
  addOthers(scope, hosts, port, (name) => [name]);
  for (const service of services)
    hosts.add(
      `${service.hostname}:${port}`,
      serviceNames(service, scope.proxy, clusterDomain),
      serviceRoutes(scope, service, port),
    );
  addFallback(scope, hosts);
  return routeConfiguration(String(port), hosts.all(), true);
}

/** Traffic already known to be for one service's address and port. */
export function addressRoutes(scope: Scope, service: Service, port: Port): RouteConfiguration {
  const hosts = new VirtualHosts();
  const name = `${service.hostname}:${port}`;
  hosts.add(name, ['*'], serviceRoutes(scope, service, port));
  return routeConfiguration(name, hosts.all(), true);
}

/** The port that a service answers on when a URL names none: 80, else its only or first HTTP port. */
function unnamedPort(service: Service): Port | undefined {
  const ports = service.ports.filter(mayBeHttp);
  return (ports.find((port) => port.port === PORT_80) ?? ports[0])?.port;
}

/** The explicit HTTP proxy: every service on every port, told apart by the port in the URL. */
export function proxyRoutes(scope: Scope): RouteConfiguration {
  const hosts = new VirtualHosts();
  const { clusterDomain } = scope.snapshot.meshConfig;
  addOthers(scope, hosts, undefined, (name, port) => [...(port === PORT_80 ? [name] : []), `${name}:${port}`]);
  for (const service of scope.view.services) {
    const names = serviceNames(service, scope.proxy, clusterDomain);
    const unnamed = unnamedPort(service);
    for (const { port } of service.ports.filter(mayBeHttp)) {
      const domains = names.flatMap((name) => (port === unnamed ? [name, `${name}:${port}`] : [`${name}:${port}`]));
      hosts.add(`${service.hostname}:${port}`, domains, serviceRoutes(scope, service, port));
    }
  }
  addFallback(scope, hosts);
  return routeConfiguration(HTTP_PROXY, hosts.all(), false);
}
