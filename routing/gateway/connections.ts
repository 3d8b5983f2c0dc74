import { create } from '@bufbuild/protobuf';
import { type FilterChain, FilterChainSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import { serverNames } from '../listeners/service-chains.ts';
import { tcpProxy } from '../listeners/tcp.ts';
import type { RouteSite } from '../routes/applies.ts';
import { l4Applies, type TcpTarget, tcpTarget } from '../routes/l4.ts';
import type { Scope } from '../scope.ts';
import { cidrRange } from '../wire/address.ts';
import { visibleFrom } from '../visibility.ts';
import { commonHosts } from './hosts.ts';
import type { Served } from './servers.ts';
import { virtualServices } from '../delegates.ts';

/** The VirtualServices that a server takes connections for. */
function bound(scope: Scope, { gateway, name, server }: Served): readonly VirtualService[] {
  const home = scope.proxy.workload.namespace;
  return virtualServices(scope.snapshot).filter(
    (virtual) =>
      virtual.gateways.includes(name) &&
      visibleFrom(virtual.exportTo, virtual.meta.namespace, home) &&
      commonHosts(server, gateway.meta.namespace, virtual).length > 0,
  );
}

function carrying(scope: Scope, target: TcpTarget) {
  return [...scope.security.networkFilters(), tcpProxy('gateway', target[0]?.cluster ?? '', target)];
}

const siteOf = ({ name, server }: Served): RouteSite => ({ port: server.port, gateways: new Set([name]) });

/** Where connections to a server go that carry no TLS, or whose TLS the gateway ends: the first TCP route that holds. */
export function tcpServerChain(scope: Scope, served: Served): FilterChain | undefined {
  const site = siteOf(served);
  for (const virtual of bound(scope, served)) {
    const route = virtual.tcp.find(({ match }) => match.length === 0 || match.some((one) => l4Applies(scope, site, one)));
    if (route === undefined) continue;
    return create(FilterChainSchema, { filters: carrying(scope, tcpTarget(scope, route.destinations, site.port)) });
  }
  return undefined;
}

/** Of the names that a route takes, those for which the server answers; of a name and a wildcard over it, the narrower. */
function answered(served: Served, wanted: readonly Hostname[]): readonly Hostname[] {
  const found = new Set<Hostname>();
  for (const name of wanted) {
    for (const { host } of served.server.hosts) {
      if (covers(host, name)) found.add(name);
      else if (covers(name, host)) found.add(host);
    }
  }
  return [...found];
}

/** TLS that goes through as it is, by the server name that the client asks for. */
export function passthroughChains(scope: Scope, served: Served): FilterChain[] {
  const site = siteOf(served);
  const chains: FilterChain[] = [];
  for (const virtual of bound(scope, served)) {
    for (const route of virtual.tls) {
      for (const match of route.match) {
        const names = answered(served, match.sniHosts);
        if (names.length === 0 || !l4Applies(scope, site, match)) continue;
        chains.push(
          create(FilterChainSchema, {
            filterChainMatch: {
              transportProtocol: 'tls',
              serverNames: serverNames(names),
              prefixRanges: match.destinationSubnets.map(cidrRange),
            },
            filters: carrying(scope, tcpTarget(scope, route.destinations, site.port)),
          }),
        );
      }
    }
  }
  return chains;
}
