// What Envoy would do with a call by a compiled configuration: its documented rules for listeners, filter chains, virtual hosts and routes.
import { BlockList, isIP } from 'node:net';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { FilterChain } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { Route, VirtualHost } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { VirtualHost_TlsRequirementType } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { closest } from '../../../routing/evaluate/domains.ts';
import type { CompiledProxy } from '../../../routing/compile.ts';
import type { SimulationCase, Want } from './case.ts';

type Asked = SimulationCase['calls'][number];

function listenerFor({ listeners }: CompiledProxy, { call, effective }: Asked, router: boolean): Listener | undefined {
  const at = (address: string, port: number) =>
    listeners.find(({ address: bound }) => {
      const place = bound?.address;
      return (
        place?.case === 'socketAddress' &&
        place.value.address === address &&
        place.value.portSpecifier.case === 'portValue' &&
        place.value.portSpecifier.value === port
      );
    });
  if (router) return at('0.0.0.0', call.port);
  return at(call.address ?? effective.address ?? '', call.port) ?? at('0.0.0.0', call.port) ?? at('0.0.0.0', 15001);
}

/** Of the chains those that say this, else those that say nothing of it: Envoy never goes back to the others. */
function narrow(chains: readonly FilterChain[], says: (chain: FilterChain) => readonly string[], value: string | undefined) {
  const named = chains.map((chain) => ({ domains: says(chain), thing: chain }));
  const best = value === undefined ? undefined : closest(named, value);
  const found = best === undefined ? [] : chains.filter((chain) => says(chain).includes(best.domain));
  return found.length > 0 ? found : chains.filter((chain) => says(chain).length === 0);
}

function inRange(chain: FilterChain, address: string): number {
  const lengths = (chain.filterChainMatch?.prefixRanges ?? []).map(({ addressPrefix, prefixLen }) => {
    const family = isIP(addressPrefix) === 6 ? 'ipv6' : 'ipv4';
    if ((isIP(address) === 6 ? 'ipv6' : 'ipv4') !== family) return -1;
    const block = new BlockList();
    block.addSubnet(addressPrefix, prefixLen ?? 0, family);
    return block.check(address, family) ? (prefixLen ?? 0) : -1;
  });
  return Math.max(-1, ...lengths);
}

const ALPN = { http: 'http/1.1', http2: 'h2', tcp: undefined } as const;
const SNIFFED = { http: 'http/1.1', http2: 'h2c', tcp: undefined } as const;

function chainFor(listener: Listener, { call, effective }: Asked): FilterChain | undefined {
  const has = (name: string) => listener.listenerFilters.some((one) => one.name === `envoy.filters.listener.${name}`);
  const encrypted = call.tls !== undefined && call.tls !== 'plaintext' && has('tls_inspector');
  const protocol = call.protocol ?? 'tcp';
  const alpn = encrypted ? (call.alpn ?? ALPN[protocol]) : has('http_inspector') ? SNIFFED[protocol] : undefined;
  const one = (value: string | number | undefined) => (value === undefined || value === '' ? [] : [String(value)]);
  const byPort = narrow(listener.filterChains, (chain) => one(chain.filterChainMatch?.destinationPort), String(call.port));
  const address = call.address ?? effective.address ?? '';
  const most = Math.max(-1, ...byPort.map((chain) => inRange(chain, address)));
  const byAddress = byPort.filter((chain) =>
    most < 0 ? (chain.filterChainMatch?.prefixRanges.length ?? 0) === 0 : inRange(chain, address) === most,
  );
  const byName = narrow(byAddress, (chain) => chain.filterChainMatch?.serverNames ?? [], encrypted ? effective.sni : undefined);
  const byTransport = narrow(byName, (chain) => one(chain.filterChainMatch?.transportProtocol), encrypted ? 'tls' : 'raw_buffer');
  const [found] = narrow(byTransport, (chain) => chain.filterChainMatch?.applicationProtocols ?? [], alpn);
  return found ?? listener.defaultFilterChain;
}

function takes({ match }: Route, path: string): boolean {
  switch (match?.pathSpecifier.case) {
    case 'prefix':
      return path.startsWith(match.pathSpecifier.value);
    case 'pathSeparatedPrefix':
      return path === match.pathSpecifier.value || path.startsWith(`${match.pathSpecifier.value}/`);
    case 'path':
      return path === match.pathSpecifier.value;
    default:
      return false;
  }
}

function virtualHost({ virtualHosts }: RouteConfiguration, host: string): VirtualHost | undefined {
  return closest(
    virtualHosts.map((one) => ({ domains: one.domains, thing: one })),
    host.toLowerCase(),
  )?.thing;
}

function clusterOf(route: Route): string | undefined {
  const to = route.action.case === 'route' ? route.action.value.clusterSpecifier : undefined;
  return to?.case === 'cluster' ? to.value : undefined;
}

export function simulate(compiled: CompiledProxy, asked: Asked, router: boolean): Want {
  const { call, effective } = asked;
  const listener = listenerFor(compiled, asked, router);
  if (listener === undefined) return { error: 'no listener matched' };
  const at = { listenerMatched: listener.name };
  const chain = chainFor(listener, asked);
  const last = chain?.filters.at(-1)?.configType;
  if (chain === undefined || last?.case !== 'typedConfig') return { ...at, error: 'no filter chains matched' };
  const manager = anyUnpack(last.value, HttpConnectionManagerSchema);
  if (manager === undefined) {
    const to = anyUnpack(last.value, TcpProxySchema)?.clusterSpecifier;
    return to?.case === 'cluster' ? { ...at, clusterMatched: to.value } : at;
  }
  const secure = call.tls !== undefined && call.tls !== 'plaintext';
  if ((secure && chain.transportSocket === undefined) || (call.protocol ?? 'tcp') === 'tcp')
    return { ...at, error: 'protocol error' };
  const specifier = manager.routeSpecifier;
  const name = specifier.case === 'rds' ? specifier.value.routeConfigName : '';
  const routes = specifier.case === 'routeConfig' ? specifier.value : compiled.routes.find((one) => one.name === name);
  const found = { ...at, routeConfigMatched: routes?.name ?? '' };
  const host = routes === undefined ? undefined : virtualHost(routes, call.hostHeader ?? '');
  if (host === undefined) return { ...found, error: 'no virtual host matched' };
  if (host.requireTls === VirtualHost_TlsRequirementType.ALL && !secure) return { ...found, error: 'tls required, sending 301' };
  const route = host.routes.find((one) => takes(one, call.path ?? effective.path ?? '/'));
  if (route === undefined) return { ...found, error: 'no route matched' };
  const cluster = clusterOf(route);
  return cluster === undefined ? { ...found, error: 'no route matched' } : { ...found, clusterMatched: cluster };
}
