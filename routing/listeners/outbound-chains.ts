import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '#gen/envoy/config/core/v3/base_pb.js';
import { type FilterChain, FilterChainSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { resolvesHosts } from '../dynamic-dns/cache.ts';
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts';
import type { Scope } from '../scope.ts';
import type { View } from '../view.ts';
import type { Families } from '../../mesh/model/families.ts';
import { socketAddress } from '../wire/address.ts';
import { listensEverywhere } from '../wire/everywhere.ts';
import { duration } from '../wire/duration.ts';
import { httpConnectionManager, routeFilters } from './http.ts';
import { httpInside } from './http-inside.ts';
import { httpInspector, INSPECTION_MS, PLAIN_HTTP, tlsInspector } from './inspectors.ts';
import { waitsForClusters } from './on-demand.ts';
import { type TcpOptions, tcpProxy } from './tcp.ts';

/** HTTP by the routes of that name; with `sniffed`, only what was seen to be HTTP. */
export function outboundHttp(
  scope: Scope,
  statPrefix: string,
  routes: string | RouteConfiguration,
  sniffed: boolean,
): FilterChain {
  const { snapshot, view } = scope;
  const manager = httpConnectionManager({
    mesh: snapshot.meshConfig,
    vantage: 'outbound',
    statPrefix,
    routes,
    filters: [...waitsForClusters(scope), ...routeFilters(), ...httpInside(view), ...resolvesHosts(scope)],
  });
  return create(FilterChainSchema, {
    filters: [manager],
    ...(sniffed ? { filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: [...PLAIN_HTTP] } } : {}),
  });
}

export function outboundTcp(cluster: string, options: TcpOptions = {}): FilterChain {
  return create(FilterChainSchema, { filters: [tcpProxy('outbound', cluster, cluster, options)] });
}

/** Where traffic goes that no service claims. */
export function elsewhere({ outboundTrafficPolicy }: View): string {
  return outboundTrafficPolicy === 'REGISTRY_ONLY' ? BLACK_HOLE : PASSTHROUGH;
}

export interface OutboundListener {
  readonly name: string;
  /** One address, or all of a proxy that has these families. */
  readonly address: string | { readonly all: Families };
  readonly port: number;
  readonly filterChains: readonly FilterChain[];
  /** Where what no chain takes goes; with it, the first bytes are looked at. */
  readonly rest?: FilterChain;
  /** Has no socket of its own, and takes what `virtualOutbound` hands over by original destination. */
  readonly captured: boolean;
}

export function outboundListener({ name, address, port, filterChains, rest, captured }: OutboundListener): Listener {
  return create(ListenerSchema, {
    name,
    ...(typeof address === 'string' ? { address: socketAddress(address, port) } : listensEverywhere(address.all, port)),
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [...filterChains],
    ...(captured ? { bindToPort: false } : {}),
    ...(rest === undefined
      ? {}
      : {
          defaultFilterChain: rest,
          listenerFilters: [tlsInspector(), httpInspector()],
          listenerFiltersTimeout: duration(INSPECTION_MS),
          continueOnListenerFiltersTimeout: true,
        }),
  });
}
