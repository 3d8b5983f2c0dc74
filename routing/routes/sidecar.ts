import { create } from '@bufbuild/protobuf';
import { type RouteConfiguration, RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import { type Route, type VirtualHost, VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { podNames } from '../../mesh/model/endpoints.ts';
import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import { isHttp, parsePort, type Port } from '../../mesh/model/port.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import { askedBy } from '../caller.ts';
import { rulesFor } from '../clusters/rules.ts';
import { type Interruptible, TOGETHER } from '../interruptible.ts';
import { kept } from '../kept.ts';
import { HTTP_PROXY, outboundCluster } from '../names.ts';
import type { Scope } from '../scope.ts';
import type { RouteSite } from './applies.ts';
import { hostNames, serviceNames } from './domains.ts';
import { fallbackHost } from './fallback.ts';
import { hashPolicies } from './hash-policy.ts';
import { toPod } from './to-pod.ts';
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
function serviceRoutes(scope: Scope, service: Service, port: Port): Route[] {
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

/** A virtual host in its place. It stays while what routes it changes. */
export interface HostSite {
  /** The route configuration that it is of. */
  readonly table: string;
  readonly name: string;
  readonly domains: readonly string[];
  readonly host: Hostname;
  readonly port: Port;
  /** `namespace/name` of the VirtualService where the host stands for no service. */
  readonly virtual: string | undefined;
  /** Of a headless Service's pods the one that is meant, by its name there. */
  readonly pod?: string;
}

/** The virtual hosts of one route configuration, in order. */
export interface RouteTable {
  readonly name: string;
  /** Match hosts whatever port they name. */
  readonly ignorePort: boolean;
  readonly sites: readonly HostSite[];
  /** Absent where a site takes every host. */
  readonly fallback: VirtualHost | undefined;
}

/** How a virtual host is called in its table. */
export function siteName(host: Hostname, port: Port, pod?: string): string {
  return pod === undefined ? `${host}:${port}` : `${pod}.${host}:${port}`;
}

/** The same object for the same place. */
const sites = kept<object, HostSite>(64);
const plainSites = new WeakMap<readonly string[], readonly HostSite[]>();

class Table {
  readonly #scope: Scope;
  readonly #name: string;
  readonly #ignorePort: boolean;
  readonly #taken = new Set<string>();
  readonly #sites: HostSite[] = [];

  constructor(scope: Scope, name: string, ignorePort: boolean) {
    this.#scope = scope;
    this.#name = name;
    this.#ignorePort = ignorePort;
  }

  /** Envoy refuses a configuration in which a domain is there twice: the first to claim one keeps it, and who is left with none is dropped. */
  add(owner: object, host: Hostname, port: Port, wanted: readonly string[], virtual: string | undefined, pod?: string): void {
    const taken = this.#taken;
    const domains = wanted.some((domain) => taken.has(domain)) ? wanted.filter((domain) => !taken.has(domain)) : wanted;
    if (domains.length === 0) return;
    for (const domain of domains) taken.add(domain);
    const plain = domains === wanted && virtual === undefined && pod === undefined;
    this.#sites.push(plain ? this.#plain(wanted, host, port) : this.#kept(owner, host, port, domains, virtual, pod));
  }

  #kept(
    owner: object,
    host: Hostname,
    port: Port,
    domains: readonly string[],
    virtual: string | undefined,
    pod?: string,
  ): HostSite {
    const inputs = [this.#name, host, port, virtual, pod, ...domains];
    const name = siteName(host, port, pod);
    const make = () => ({ table: this.#name, name, domains, host, port, virtual, ...(pod === undefined ? {} : { pod }) });
    return sites.get(owner, inputs, make);
  }

  /** Of a service under all its names: found by their list, which is made once for most views. */
  #plain(domains: readonly string[], host: Hostname, port: Port): HostSite {
    const table = this.#name;
    const known = plainSites.get(domains) ?? [];
    const found = known.find((site) => site.table === table && site.port === port && site.host === host);
    if (found !== undefined) return found;
    const made: HostSite = { table, name: siteName(host, port), domains, host, port, virtual: undefined };
    plainSites.set(domains, [...known, made]);
    return made;
  }

  /** The pods of a headless Service by their own names, which are closer than its wildcard. */
  addPods(service: Service, port: Port, domains: (name: string) => readonly string[]): void {
    const { proxy, snapshot } = this.#scope;
    for (const pod of podNames(snapshot, service)) {
      const names = hostNames(service.hostname, proxy, snapshot.meshConfig.clusterDomain);
      const wanted = names.flatMap((name) => domains(`${pod}.${name}`));
      this.add(service, service.hostname, port, wanted, undefined, pod);
    }
  }

  /** A host that a VirtualService names as it is goes before the short names of services: `web.shop` may be named so. */
  addOthers(only: Port | undefined, domains: (name: string, port: Port) => readonly string[]): void {
    for (const { virtual, host, ports } of hostsWithoutService(this.#scope)) {
      for (const port of ports) {
        if (only !== undefined && port !== only) continue;
        const { view, proxy, snapshot } = this.#scope;
        // The short names of an alias stay with what it stands for, as in Istio.
        const names =
          view.aliased(host) === undefined ? hostNames(host, proxy, snapshot.meshConfig.clusterDomain) : [host, `${host}.`];
        this.add(virtual, host, port, [...new Set(names.flatMap((name) => domains(name, port)))], keyOf(virtual.meta));
      }
    }
  }

  get sites(): readonly HostSite[] {
    return this.#sites;
  }

  all(): RouteTable {
    return {
      name: this.#name,
      ignorePort: this.#ignorePort,
      sites: this.#sites,
      fallback: this.#taken.has('*') ? undefined : fallbackHost(this.#scope),
    };
  }
}

function addAtPort(table: Table, scope: Scope, service: Service, port: Port): void {
  table.addPods(service, port, (name) => [name]);
  table.add(
    service,
    service.hostname,
    port,
    serviceNames(service, scope.proxy, scope.snapshot.meshConfig.clusterDomain),
    undefined,
  );
}

/** Captured traffic: the virtual hosts of one port, one for each service that has it. */
export function* portTable(scope: Scope, port: Port, services: readonly Service[]): Interruptible<RouteTable> {
  const table = new Table(scope, String(port), true);
  table.addOthers(port, (name) => [name]);
  for (const [at, service] of services.entries()) {
    if (at % TOGETHER === 0) yield;
    addAtPort(table, scope, service, port);
  }
  return table.all();
}

/** The port that a service answers on when a URL names none: 80, else its only or first HTTP port. */
function unnamedPort(service: Service): Port | undefined {
  const ports = service.ports.filter(mayBeHttp);
  return (ports.find((port) => port.port === PORT_80) ?? ports[0])?.port;
}

const withPort = kept<readonly string[], readonly string[]>(64);

function addAtProxy(table: Table, scope: Scope, service: Service): void {
  const names = serviceNames(service, scope.proxy, scope.snapshot.meshConfig.clusterDomain);
  const unnamed = unnamedPort(service);
  for (const { port } of service.ports.filter(mayBeHttp)) {
    const alone = port === unnamed;
    const domains = withPort.get(names, [port, alone], () => [
      ...new Set(names.flatMap((name) => (alone ? [name, `${name}:${port}`] : [`${name}:${port}`]))),
    ]);
    table.addPods(service, port, (name) => (alone ? [name, `${name}:${port}`] : [`${name}:${port}`]));
    table.add(service, service.hostname, port, domains, undefined);
  }
}

/** The explicit HTTP proxy: every service on every port, told apart by the port in the URL. */
export function* proxyTable(scope: Scope): Interruptible<RouteTable> {
  const table = new Table(scope, HTTP_PROXY, false);
  table.addOthers(undefined, (name, port) => [...(port === PORT_80 ? [name] : []), `${name}:${port}`]);
  for (const [at, service] of scope.view.services.entries()) {
    if (at % TOGETHER === 0) yield;
    addAtProxy(table, scope, service);
  }
  return table.all();
}

/** The places of a service's virtual hosts in each table, if nobody else claims its names: as the tables have them. */
export function serviceSites(scope: Scope, service: Service): ReadonlyMap<string, readonly HostSite[]> {
  const tables = new Map<string, Table>();
  if (scope.proxy.instance.capture.kind === 'explicit') {
    const table = new Table(scope, HTTP_PROXY, false);
    addAtProxy(table, scope, service);
    tables.set(HTTP_PROXY, table);
  } else {
    for (const { port } of service.ports.filter(mayBeHttp)) {
      const name = String(port);
      const table = tables.get(name) ?? new Table(scope, name, true);
      tables.set(name, table);
      addAtPort(table, scope, service, port);
    }
  }
  return new Map([...tables].map(([name, table]) => [name, table.sites]));
}

/** What routes a virtual host. */
export function virtualOf({ view }: Pick<Scope, 'view'>, { host, virtual }: HostSite): VirtualService | undefined {
  return virtual === undefined ? view.virtualServiceFor(host) : view.virtualServiceNamed(virtual);
}

/** A service, and what rules say of calling it. */
function destinationInputs({ snapshot, view, proxy }: Scope, host: Hostname): readonly unknown[] {
  const service = view.serviceByHost.get(host) ?? view.aliased(host);
  return service === undefined ? [host] : [service, ...rulesFor(snapshot, service, view.namespace, proxy.instance.labels)];
}

/** All that routes by a VirtualService follow from, beside their place. */
export function virtualInputs(scope: Scope, virtual: VirtualService): readonly unknown[] {
  const { hosts, labels, namespace } = askedBy(virtual);
  return [
    scope.snapshot.meshConfig,
    virtual,
    ...labels.map((label) => scope.proxy.instance.labels[label]),
    namespace ? scope.view.namespace : undefined,
    ...hosts.flatMap((host) => destinationInputs(scope, host)),
  ];
}

/** All that a virtual host follows from, beside its place. */
export function hostInputs(scope: Scope, site: HostSite): readonly unknown[] {
  const virtual = virtualOf(scope, site);
  return virtual === undefined || (site.virtual === undefined && virtual.http.length === 0)
    ? [scope.snapshot.meshConfig, ...destinationInputs(scope, site.host)]
    : virtualInputs(scope, virtual);
}

/** @param name another than its own, where it is found by that */
export function virtualHostAt(scope: Scope, site: HostSite, name = site.name): VirtualHost {
  const { host, port, domains, pod } = site;
  const virtual = virtualOf(scope, site);
  const service = site.virtual === undefined ? scope.view.serviceByHost.get(host) : undefined;
  const routes =
    service !== undefined
      ? serviceRoutes(scope, service, port)
      : virtual === undefined
        ? []
        : virtualServiceRoutes(scope, { port, gateways: MESH }, virtual);
  return create(VirtualHostSchema, {
    name,
    domains: [...domains],
    routes: pod === undefined ? routes : routes.map((route) => toPod(route, pod)),
    includeRequestAttemptCount: true,
  });
}

const hosts = kept<HostSite, VirtualHost>(16);

/** The route configuration of a table, with all its virtual hosts in it. */
export function tableRoutes(scope: Scope, { name, ignorePort, sites: places, fallback }: RouteTable): RouteConfiguration {
  const made = places.map((site) => hosts.get(site, hostInputs(scope, site), () => virtualHostAt(scope, site)));
  return routeConfiguration(name, fallback === undefined ? made : [...made, fallback], ignorePort);
}

/** Traffic already known to be for one service's address and port. */
export function addressRoutes(scope: Scope, service: Service, port: Port): RouteConfiguration {
  const all = new VirtualHosts();
  const name = `${service.hostname}:${port}`;
  all.add(name, ['*'], serviceRoutes(scope, service, port));
  return routeConfiguration(name, all.all(), true);
}
