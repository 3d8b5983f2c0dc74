import { create } from '@bufbuild/protobuf';
import {
  type Filter,
  type FilterChain,
  type FilterChainMatch,
  FilterChainSchema,
} from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { Hostname } from '../../mesh/model/hostname.ts';
import type { Port, Protocol } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import { policyToward } from '../clusters/rules.ts';
import { resolvesServerName } from '../dynamic-dns/cache.ts';
import { outboundCluster } from '../names.ts';
import type { RouteSite } from '../routes/applies.ts';
import { l4Applies, type TcpTarget, tcpTarget } from '../routes/l4.ts';
import type { Scope } from '../scope.ts';
import { cidrRange } from '../wire/address.ts';
import { type TcpOptions, tcpOptions, tcpProxy } from './tcp.ts';

type Match = Partial<Pick<FilterChainMatch, 'serverNames' | 'prefixRanges'>>;

/** What a connection to one port of a service is, beside HTTP. */
export interface ServiceChains {
  /** By server name or destination block; each of them is told apart from all others. */
  readonly chosen: readonly FilterChain[];
  /** All other connections. */
  readonly rest: FilterChain;
}

export function carriesTls(protocol: Protocol): boolean {
  return protocol === 'tls' || protocol === 'https';
}

/** Envoy's filter chains know exact names and wildcards of whole labels; `*` is every name, so no condition on it. */
export function serverNames(hosts: readonly Hostname[]): string[] {
  return hosts.some((host) => host === '*') ? [] : [...new Set<string>(hosts)];
}

function chain(match: Match, target: TcpTarget, options: TcpOptions, before: readonly Filter[] = []): FilterChain {
  const [first] = target;
  const named = Object.values(match).some((one) => one !== undefined && one.length > 0);
  return create(FilterChainSchema, {
    ...(named || match.serverNames !== undefined
      ? { filterChainMatch: { ...match, ...(match.serverNames === undefined ? {} : { transportProtocol: 'tls' }) } }
      : {}),
    filters: [...before, tcpProxy('outbound', first?.cluster ?? '', target, options)],
  });
}

/** Chains of the TLS routes of a VirtualService that hold for this proxy, in the order written. */
export function tlsChains(scope: Scope, site: RouteSite, virtual: VirtualService, options: TcpOptions): FilterChain[] {
  const made: FilterChain[] = [];
  for (const route of virtual.tls) {
    for (const match of route.match) {
      if (!l4Applies(scope, site, match)) continue;
      const prefixRanges = match.destinationSubnets.map(cidrRange);
      made.push(
        chain(
          { serverNames: serverNames(match.sniHosts), ...(prefixRanges.length === 0 ? {} : { prefixRanges }) },
          tcpTarget(scope, route.destinations, site.port),
          options,
        ),
      );
    }
  }
  return made;
}

/** The chains of the TCP routes; the first route without a destination block takes the rest. */
function tcpChains(
  scope: Scope,
  site: RouteSite,
  virtual: VirtualService,
  options: TcpOptions,
): { readonly chosen: FilterChain[]; readonly rest: FilterChain | undefined } {
  const chosen: FilterChain[] = [];
  for (const route of virtual.tcp) {
    const target = tcpTarget(scope, route.destinations, site.port);
    const matches = route.match.filter((match) => l4Applies(scope, site, match));
    if (route.match.length === 0 || matches.some(({ destinationSubnets }) => destinationSubnets.length === 0))
      return { chosen, rest: chain({}, target, options) };
    for (const { destinationSubnets } of matches)
      chosen.push(chain({ prefixRanges: destinationSubnets.map(cidrRange) }, target, options));
  }
  return { chosen, rest: undefined };
}

/** Envoy refuses a listener in which two chains match alike; the first has what both claim. */
export function distinct(chains: readonly FilterChain[]): FilterChain[] {
  const known = new Set<string>();
  return chains.flatMap((one) => {
    const match = one.filterChainMatch;
    if (match === undefined) return known.has('') ? [] : (known.add(''), [one]);
    const blocks = match.prefixRanges.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen ?? 0}`).sort();
    const names = match.serverNames.length === 0 ? [''] : match.serverNames;
    const free = names.filter((name) => !known.has(`${match.transportProtocol} ${name} ${blocks.join()}`));
    for (const name of free) known.add(`${match.transportProtocol} ${name} ${blocks.join()}`);
    if (free.length === 0) return [];
    if (free.length < match.serverNames.length) match.serverNames = free;
    return [one];
  });
}

/** What finds the server by the name that its TLS is asked for, where the names under a wildcard are resolved. */
function found({ resolution }: Service, port: Port): readonly Filter[] {
  return resolution === 'names' ? [resolvesServerName(port)] : [];
}

const MESH: ReadonlySet<string> = new Set(['mesh']);

/**
 * Connections to one port of a service: as its VirtualService's `tls` and `tcp` say, else straight to the service.
 * @param only the address of a headless Service's pod, that the connection was made to
 */
export function serviceChains(scope: Scope, service: Service, port: Port, protocol: Protocol, only?: string): ServiceChains {
  const site: RouteSite = { port, gateways: MESH };
  const options = { ...tcpOptions(policyToward(scope, service, port, undefined)), only, onDemand: scope.onDemand };
  const straight = chain(
    {},
    [{ cluster: outboundCluster(port, undefined, service.hostname), weight: 1 }],
    options,
    found(service, port),
  );
  const virtual = scope.view.virtualServiceFor(service.hostname);
  if (virtual === undefined) return { chosen: [], rest: straight };
  const tls = carriesTls(protocol) ? tlsChains(scope, site, virtual, options) : [];
  const tcp = tcpChains(scope, site, virtual, options);
  return { chosen: distinct([...tls, ...tcp.chosen]), rest: tcp.rest ?? straight };
}

/** TLS to a service that has no address of its own, told apart by the server name: as its VirtualService says, else by its host. */
export function serverNameChains(scope: Scope, service: Service, port: Port): FilterChain[] {
  const options = { ...tcpOptions(policyToward(scope, service, port, undefined)), onDemand: scope.onDemand };
  const virtual = scope.view.virtualServiceFor(service.hostname);
  const routed = virtual === undefined ? [] : tlsChains(scope, { port, gateways: MESH }, virtual, options);
  const target = [{ cluster: outboundCluster(port, undefined, service.hostname), weight: 1 }];
  return [...routed, chain({ serverNames: serverNames([service.hostname]) }, target, options, found(service, port))];
}
