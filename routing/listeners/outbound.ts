import { isIP } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '#gen/envoy/config/core/v3/base_pb.js';
import { type FilterChain, FilterChainSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { endpointsOf, workloadsOf } from '../../mesh/model/endpoints.ts';
import { familiesOf } from '../../mesh/model/families.ts';
import { isHttp, type Port } from '../../mesh/model/port.ts';
import { isVirtualAddress } from '../../mesh/model/virtual-address.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { rulesFor } from '../clusters/rules.ts';
import { type Interruptible, uninterrupted } from '../interruptible.ts';
import { kept } from '../kept.ts';
import { BLACK_HOLE, INBOUND_CAPTURE_PORT, OUTBOUND_CAPTURE_PORT, VIRTUAL_OUTBOUND } from '../names.ts';
import {
  addressRoutes,
  mayBeHttp,
  portTable,
  type RouteTable,
  tableRoutes,
  virtualInputs,
  routeConfiguration,
} from '../routes/sidecar.ts';
import type { Scope } from '../scope.ts';
import { cidrRange } from '../wire/address.ts';
import { anyAddress, listensEverywhere } from '../wire/everywhere.ts';
import { asksForNames, passesByName } from '../dynamic-dns/cache.ts';
import { fallbackHost } from '../routes/fallback.ts';
import { duration } from '../wire/duration.ts';
import { httpInspector, INSPECTION_MS, originalDestinationFilter, tlsInspector } from './inspectors.ts';
import { elsewhere, outboundHttp, outboundListener, outboundTcp } from './outbound-chains.ts';
import { carriesTls, distinct, serverNameChains, serviceChains } from './service-chains.ts';
import { sharedOutbound } from './shared.ts';
import { tcpProxy } from './tcp.ts';

export interface Outbound {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
}

/** A listener for these would take the capturing listeners' own addresses. */
const RESERVED: ReadonlySet<number> = new Set([OUTBOUND_CAPTURE_PORT, INBOUND_CAPTURE_PORT]);

/** Single addresses of a service; ranges have no listener. */
function addressesOf(service: Service): readonly string[] {
  return service.addresses.filter((address) => !address.includes('/'));
}

/** All that iptables redirects comes here first, and what no other listener takes stays here. */
function virtualOutbound(scope: Scope): Listener {
  const rest = elsewhere(scope.view);
  return create(ListenerSchema, {
    name: VIRTUAL_OUTBOUND,
    ...listensEverywhere(familiesOf(scope.proxy.instance), OUTBOUND_CAPTURE_PORT),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    filterChains: [
      // A connection made to the capturing port itself: passing it on would call this proxy again.
      create(FilterChainSchema, {
        name: 'loop',
        filterChainMatch: { destinationPort: OUTBOUND_CAPTURE_PORT },
        filters: [tcpProxy('outbound', BLACK_HOLE, BLACK_HOLE)],
      }),
      // HTTP to a port that no service has goes by its host: its first bytes are looked at.
      ...(passesByName(scope)
        ? [outboundHttp(scope, VIRTUAL_OUTBOUND, routeConfiguration(VIRTUAL_OUTBOUND, [fallbackHost(scope)], true), true)]
        : []),
    ],
    defaultFilterChain: { name: VIRTUAL_OUTBOUND, filters: [tcpProxy('outbound', rest, rest)] },
    ...(passesByName(scope)
      ? {
          // First of all: bytes that are waited for in vain must not lose where they were going.
          listenerFilters: [originalDestinationFilter(), tlsInspector(), httpInspector()],
          listenerFiltersTimeout: duration(INSPECTION_MS),
          continueOnListenerFiltersTimeout: true,
        }
      : {}),
  });
}

/** Served by the port's shared listener, which tells services apart by host: HTTP, and the undeclared without an address. */
function sharesPort(service: Service, port: ServicePort): boolean {
  return isHttp(port.protocol) || (port.protocol === 'unknown' && addressesOf(service).length === 0);
}

/** Bytes to the address ranges of a service, which no listener of their own can have; Envoy takes the narrowest range. */
function rangeChains(scope: Scope, service: Service, port: ServicePort): readonly FilterChain[] {
  const ranges = service.addresses.filter((address) => address.includes('/'));
  if (ranges.length === 0 || port.protocol === 'udp' || mayBeHttp(port)) return [];
  const { rest } = serviceChains(scope, service, port.port, port.protocol);
  return ranges.map((range) =>
    create(FilterChainSchema, { filterChainMatch: { prefixRanges: [cidrRange(range)] }, filters: rest.filters }),
  );
}

const plainPorts = new WeakMap<MeshConfig, Map<string, Listener>>();

/** Where nothing but HTTP is told apart, all proxies have the same listener. */
function plainPort(scope: Scope, port: Port): Listener {
  const { view, snapshot } = scope;
  const known = plainPorts.get(snapshot.meshConfig) ?? new Map<string, Listener>();
  plainPorts.set(snapshot.meshConfig, known);
  const rest = elsewhere(view);
  const families = familiesOf(scope.proxy.instance);
  const any = anyAddress(families);
  const key = `${port} ${families} ${view.sniffs} ${asksForNames(scope)} ${rest} ${scope.onDemand}`;
  const made =
    known.get(key) ??
    outboundListener({
      name: `${any}_${port}`,
      address: { all: families },
      port,
      filterChains: [outboundHttp(scope, `outbound_${any}_${port}`, String(port), true)],
      rest: outboundTcp(rest),
      captured: true,
    });
  known.set(key, made);
  return made;
}

function portListeners(scope: Scope): Pick<CapturedParts, 'listeners' | 'tables'> {
  const byPort = new Map<Port, { readonly services: Service[]; readonly named: FilterChain[]; shared: boolean }>();
  const entryOf = (port: Port) => {
    const entry = byPort.get(port) ?? { services: [], named: [], shared: false };
    byPort.set(port, entry);
    return entry;
  };
  const takeRanges = (service: Service, port: ServicePort) => {
    const chains = rangeChains(scope, service, port);
    if (chains.length > 0) entryOf(port.port).named.push(...chains);
  };
  for (const service of scope.view.services) {
    for (const port of service.ports) {
      if (RESERVED.has(port.port)) continue;
      if (carriesTls(port.protocol) && toldApartByName(scope, service, port))
        entryOf(port.port).named.push(...serverNameChains(scope, service, port.port));
      takeRanges(service, port);
      if (!mayBeHttp(port)) continue;
      const entry = entryOf(port.port);
      entry.services.push(service);
      entry.shared ||= sharesPort(service, port);
    }
  }
  const families = familiesOf(scope.proxy.instance);
  const any = anyAddress(families);
  const ports = [...byPort].filter(([, { shared, named }]) => shared || named.length > 0).sort(([a], [b]) => a - b);
  return {
    listeners: ports.map(([port, { shared, named }]) => {
      if (named.length === 0) return plainPort(scope, port);
      // Whatever else goes to that port of any address comes here as well: what is no HTTP, and TLS, is not this listener's to judge.
      const http = shared ? [outboundHttp(scope, `outbound_${any}_${port}`, String(port), true)] : [];
      return outboundListener({
        name: `${any}_${port}`,
        address: { all: families },
        port,
        filterChains: [...http, ...distinct(named)],
        rest: outboundTcp(elsewhere(scope.view)),
        captured: true,
      });
    }),
    *tables() {
      const made: RouteTable[] = [];
      for (const [port, { shared, services }] of ports) if (shared) made.push(yield* portTable(scope, port, services));
      return made;
    },
  };
}

/**
 * True for TLS that may come without an address that tells which service is meant: where there is none, and where a host outside has one that
 * only the mesh knows.
 */
function toldApartByName(scope: Scope, service: Service, port: ServicePort): boolean {
  const addresses = tcpAddresses(scope, service, port);
  return addresses.length === 0 || (service.external && addresses.every(({ address }) => isVirtualAddress(address)));
}

/** Addresses by which a TCP port can be told apart: the service's, else its endpoints'. */
function tcpAddresses(
  scope: Scope,
  service: Service,
  port: ServicePort,
): readonly { readonly address: string; readonly port: Port }[] {
  const own = addressesOf(service);
  if (own.length > 0) return own.map((address) => ({ address, port: port.port }));
  if (service.resolution !== 'endpoints') return [];
  return endpointsOf(scope.snapshot, service, port)
    .filter(({ address }) => isIP(address) !== 0)
    .map((endpoint) => ({ address: endpoint.address, port: endpoint.port }));
}

interface AtAddress {
  readonly listener: Listener;
  readonly routes: RouteConfiguration | undefined;
}

/** What of one service is told apart by address: TCP, TLS, and undeclared protocols, of which HTTP is sniffed out. */
function listenersOf(scope: Scope, service: Service): readonly AtAddress[] {
  const made: AtAddress[] = [];
  for (const port of service.ports) {
    if (port.protocol === 'udp' || isHttp(port.protocol)) continue;
    const shared = serviceChains(scope, service, port.port, port.protocol);
    const routes = port.protocol === 'unknown' ? addressRoutes(scope, service, port.port) : undefined;
    for (const at of tcpAddresses(scope, service, port)) {
      const name = `${at.address}_${at.port}`;
      // Who calls a headless Service has chosen the pod.
      const { chosen, rest } =
        service.headless === true ? serviceChains(scope, service, port.port, port.protocol, at.address) : shared;
      const place = { name, address: at.address, port: at.port, captured: true };
      if (routes === undefined) {
        const chains = chosen.length === 0 ? { filterChains: [rest] } : { filterChains: chosen, rest };
        made.push({ listener: outboundListener({ ...place, ...chains }), routes });
        continue;
      }
      const http = outboundHttp(scope, `outbound_${name}`, routes.name, true);
      made.push({ listener: outboundListener({ ...place, filterChains: [http, ...chosen], rest }), routes });
    }
  }
  return made;
}

const remembered = kept<Service, readonly AtAddress[]>(16);

/** Listeners for what is told apart by address. The first service at an address has it. */
function addressListeners(scope: Scope): Outbound {
  const listeners = new Map<string, Listener>();
  const routes = new Map<string, RouteConfiguration>();
  const { snapshot, view, proxy } = scope;
  for (const service of view.services) {
    if (service.ports.every(({ protocol }) => protocol === 'udp' || isHttp(protocol))) continue;
    const virtual = view.virtualServiceFor(service.hostname);
    const inputs = [
      snapshot.meshConfig,
      view.sniffs,
      asksForNames(scope),
      scope.onDemand,
      ...rulesFor(snapshot, service, view.namespace, proxy.instance.labels),
      ...(virtual === undefined ? [] : virtualInputs(scope, virtual)),
      ...(addressesOf(service).length > 0 ? [] : workloadsOf(snapshot, service)),
    ];
    for (const { listener, routes: own } of remembered.get(service, inputs, () => listenersOf(scope, service))) {
      if (listeners.has(listener.name)) continue;
      listeners.set(listener.name, listener);
      if (own !== undefined) routes.set(own.name, own);
    }
  }
  return { listeners: [...listeners.values()], routes: [...routes.values()] };
}

/** What is made for a pod whose connections iptables redirects. */
export interface CapturedParts {
  readonly listeners: readonly Listener[];
  /** Of listeners that serve one service each. */
  readonly routes: readonly RouteConfiguration[];
  /** Of listeners that serve a port of all services. */
  readonly tables: () => Interruptible<readonly RouteTable[]>;
}

export function capturedParts(scope: Scope): CapturedParts {
  const ports = portListeners(scope);
  const addresses = addressListeners(scope);
  return {
    listeners: [virtualOutbound(scope), ...ports.listeners, ...addresses.listeners],
    routes: addresses.routes,
    tables: ports.tables,
  };
}

/** Outbound traffic of a pod whose connections iptables redirects. */
export function capturedOutbound(scope: Scope): Outbound {
  return sharedOutbound(scope, () => {
    const { listeners, routes, tables } = capturedParts(scope);
    return { listeners, routes: [...uninterrupted(tables()).map((table) => tableRoutes(scope, table)), ...routes] };
  });
}
