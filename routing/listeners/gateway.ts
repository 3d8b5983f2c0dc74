import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '#gen/envoy/config/core/v3/base_pb.js';
import { type FilterChain, FilterChainSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { autoPassthroughChains } from '../gateway/auto-passthrough.ts';
import { passthroughChains, tcpServerChain } from '../gateway/connections.ts';
import { gatewayRouteConfiguration } from '../gateway/routes.ts';
import { type BoundPort, boundPorts, isPlainHttp, type Served } from '../gateway/servers.ts';
import { gatewayRoutes, secureGatewayRoutes } from '../names.ts';
import type { Scope } from '../scope.ts';
import { gatewayTls } from '../tls/gateway-server.ts';
import { socketAddress } from '../wire/address.ts';
import { listensEverywhere } from '../wire/everywhere.ts';
import { familiesOf } from '../../mesh/model/families.ts';
import { httpConnectionManager, routeFilters } from './http.ts';
import { httpInside } from './http-inside.ts';
import { proxyProtocol, tlsInspector } from './inspectors.ts';
import type { Outbound } from './outbound.ts';
import { distinct, serverNames } from './service-chains.ts';

/** Held for one connection of anyone outside (Envoy's advice for edge proxies). */
const BUFFER_BYTES = 32_768;

interface Chains {
  readonly chains: readonly FilterChain[];
  readonly routes: readonly RouteConfiguration[];
}

const NONE: Chains = Object.freeze({ chains: [], routes: [] });

function http(scope: Scope, statPrefix: string, routes: string) {
  const { proxy, security, snapshot, view } = scope;
  return httpConnectionManager({
    mesh: snapshot.meshConfig,
    vantage: 'gateway',
    trustedProxies: proxy.workload.numTrustedProxies,
    statPrefix,
    routes,
    filters: [...security.httpFilters(), ...routeFilters(), ...httpInside(view)],
  });
}

/** The servers of HTTP without TLS, which share a port and are told apart by the host of each request. */
function plainHttp(scope: Scope, { address, port, served }: BoundPort): Chains {
  const plain = served.filter(isPlainHttp);
  if (plain.length === 0) return NONE;
  const name = gatewayRoutes(port);
  return {
    chains: [create(FilterChainSchema, { filters: [http(scope, `gateway_${address}_${port}`, name)] })],
    routes: [gatewayRouteConfiguration(scope, name, port, plain)],
  };
}

/** TLS that the gateway ends: chosen by server name, with a certificate and routes of its own. */
function terminated(scope: Scope, { address, port }: BoundPort, served: Served): Chains {
  const { gateway, server } = served;
  if (server.tls.kind !== 'terminate') return NONE;
  const transportSocket = gatewayTls(server.tls, scope.snapshot.meshConfig);
  const filterChainMatch = { transportProtocol: 'tls', serverNames: serverNames(server.hosts.map(({ host }) => host)) };
  if (server.protocol !== 'HTTPS') {
    const carried = tcpServerChain(scope, served);
    if (carried === undefined) return NONE;
    return { chains: [create(FilterChainSchema, { filterChainMatch, filters: carried.filters, transportSocket })], routes: [] };
  }
  const name = secureGatewayRoutes(port, server.portName, gateway.meta.name, gateway.meta.namespace);
  const filters = [http(scope, `gateway_${address}_${port}`, name)];
  return {
    chains: [create(FilterChainSchema, { filterChainMatch, filters, transportSocket })],
    routes: [gatewayRouteConfiguration(scope, name, port, [served])],
  };
}

function connections(scope: Scope, bound: BoundPort, served: Served): Chains {
  if (isPlainHttp(served)) return NONE;
  switch (served.server.tls.kind) {
    case 'terminate':
      return terminated(scope, bound, served);
    case 'passthrough':
      return { chains: passthroughChains(scope, served), routes: [] };
    case 'auto-passthrough':
      return { chains: autoPassthroughChains(scope, served), routes: [] };
    case 'none': {
      const chain = tcpServerChain(scope, served);
      return chain === undefined ? NONE : { chains: [chain], routes: [] };
    }
    case 'unavailable':
      return NONE;
    default:
      return served.server.tls satisfies never;
  }
}

/** One listener for all servers of an address and port; undefined when none of them has anywhere to go. */
function listener(
  scope: Scope,
  bound: BoundPort,
): { readonly listener: Listener; readonly routes: readonly RouteConfiguration[] } | undefined {
  const { address, port, served } = bound;
  const parts = [plainHttp(scope, bound), ...served.map((one) => connections(scope, bound, one))];
  const filterChains = distinct(parts.flatMap(({ chains }) => chains));
  if (filterChains.length === 0) return undefined;
  const secure = filterChains.some(({ filterChainMatch }) => filterChainMatch?.transportProtocol === 'tls');
  const made = create(ListenerSchema, {
    name: `${address}_${port}`,
    ...(address === '0.0.0.0'
      ? listensEverywhere(familiesOf(scope.proxy.instance), port)
      : { address: socketAddress(address, port) }),
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    listenerFilters: [
      ...(scope.snapshot.meshConfig.gatewayProxyProtocol === true ? [proxyProtocol()] : []),
      ...(secure ? [tlsInspector()] : []),
    ],
    filterChains,
  });
  return { listener: made, routes: parts.flatMap(({ routes }) => routes) };
}

/** What a gateway listens on, with its routes. A route configuration that two servers name alike is there once. */
export function gatewayListeners(scope: Scope): Outbound {
  const made = boundPorts(scope).flatMap((bound) => listener(scope, bound) ?? []);
  const routes = new Map<string, RouteConfiguration>();
  for (const one of made.flatMap((part) => part.routes)) if (!routes.has(one.name)) routes.set(one.name, one);
  return { listeners: made.map((one) => one.listener), routes: [...routes.values()] };
}
