import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '#gen/envoy/config/core/v3/base_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { Port } from '../../mesh/model/port.ts';
import { gatewayRouteConfiguration } from '../gateway/routes.ts';
import { httpServers } from '../gateway/servers.ts';
import { gatewayRoutes } from '../names.ts';
import type { Scope } from '../scope.ts';
import { socketAddress } from '../wire/address.ts';
import { httpConnectionManager, routeFilters } from './http.ts';
import { httpInside } from './http-inside.ts';
import type { Outbound } from './outbound.ts';

/** Held for one connection of anyone outside (Envoy's advice for edge proxies). */
const BUFFER_BYTES = 32_768;

function listener(scope: Scope, port: Port): Listener {
  const { proxy, security, snapshot, view } = scope;
  const name = `${proxy.instance.bindAddress}_${port}`;
  const manager = httpConnectionManager({
    mesh: snapshot.meshConfig,
    vantage: 'gateway',
    statPrefix: `gateway_${name}`,
    routes: gatewayRoutes(port),
    filters: [...security.httpFilters(), ...routeFilters(), ...httpInside(view)],
  });
  return create(ListenerSchema, {
    name,
    address: socketAddress(proxy.instance.bindAddress, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    filterChains: [{ filters: [manager] }],
  });
}

/** What a gateway listens on, with its routes. */
export function gatewayListeners(scope: Scope): Outbound {
  const servers = [...httpServers(scope)];
  return {
    listeners: servers.map(([port]) => listener(scope, port)),
    routes: servers.map(([port, served]) => gatewayRouteConfiguration(scope, port, served)),
  };
}
