import { create } from '@bufbuild/protobuf';
import { type Filter, type FilterChain, FilterChainSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { RouteSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { isHttp, type Port, type Protocol } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { inboundRetryPolicy } from '../routes/retry.ts';
import { timeouts } from '../routes/route.ts';
import { routeConfiguration } from '../routes/sidecar.ts';
import { VirtualHosts } from '../routes/virtual-hosts.ts';
import type { Scope } from '../scope.ts';
import type { EffectiveMtls } from '../security.ts';
import { MESH_ANY, MESH_HTTP, MESH_TCP, SERVES_HTTP, SERVES_TCP } from '../tls/alpn.ts';
import { mutualTlsServer } from '../tls/downstream.ts';
import { httpConnectionManager } from './http.ts';
import { PLAIN_HTTP } from './inspectors.ts';
import { type TcpOptions, tcpProxy } from './tcp.ts';

/** What filter chains are made for: one port of the workload, or all that have no chain of their own. */
export interface InboundTarget {
  readonly name: string;
  /** The destination port that the chains take; undefined for any. */
  readonly matchPort: Port | undefined;
  readonly protocol: Protocol;
  readonly mode: EffectiveMtls;
  readonly cluster: string;
  readonly tcp?: TcpOptions;
}

type Content = 'http' | 'tcp';
type Transport = 'tls' | 'raw_buffer';

/** Every host reaches the application: which names it answers to is not for its proxy to decide. */
function inboundRoutes({ meshConfig }: Snapshot, { name, cluster, protocol }: InboundTarget): RouteConfiguration {
  const retryPolicy = inboundRetryPolicy(protocol, meshConfig.defaults?.inboundRetries);
  const hosts = new VirtualHosts();
  const route = create(RouteSchema, {
    name: 'default',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: cluster },
        ...timeouts(undefined),
        ...(retryPolicy === undefined ? {} : { retryPolicy }),
      },
    },
  });
  // The caller's proxy has counted the attempts: a count of this hop, always 1, would hide that from the application.
  hosts.add(name, ['*'], [route], { includeRequestAttemptCount: false });
  return routeConfiguration(name, hosts.all(), false);
}

function filters(scope: Scope, target: InboundTarget, content: Content): Filter[] {
  const { security, snapshot } = scope;
  if (content === 'tcp') return [...security.networkFilters(), tcpProxy('inbound', target.name, target.cluster, target.tcp)];
  const manager = httpConnectionManager({
    mesh: snapshot.meshConfig,
    vantage: 'inbound',
    statPrefix: target.name,
    routes: inboundRoutes(snapshot, target),
    filters: security.httpFilters(),
  });
  return [manager];
}

function chain(
  scope: Scope,
  target: InboundTarget,
  content: Content,
  transport: Transport,
  applicationProtocols: readonly string[],
  terminate: boolean,
): FilterChain {
  const mesh = scope.snapshot.meshConfig;
  return create(FilterChainSchema, {
    name: `${target.name}_${content}_${terminate ? 'mtls' : transport === 'tls' ? 'tls-passthrough' : 'plaintext'}`,
    filterChainMatch: {
      ...(target.matchPort === undefined ? {} : { destinationPort: target.matchPort }),
      transportProtocol: transport,
      applicationProtocols: [...applicationProtocols],
    },
    filters: filters(scope, target, content),
    ...(terminate ? { transportSocket: mutualTlsServer(mesh, content === 'http' ? SERVES_HTTP : SERVES_TCP) } : {}),
  });
}

/** Mutual TLS. Beside plain text only the mesh's own TLS is taken, so that TLS of the application's own passes through. */
function tlsChains(scope: Scope, target: InboundTarget, alone: boolean): FilterChain[] {
  if (target.protocol === 'unknown') {
    return [
      chain(scope, target, 'http', 'tls', MESH_HTTP, true),
      chain(scope, target, 'tcp', 'tls', alone ? [] : MESH_TCP, true),
    ];
  }
  return [chain(scope, target, isHttp(target.protocol) ? 'http' : 'tcp', 'tls', alone ? [] : MESH_ANY, true)];
}

function plainChains(scope: Scope, target: InboundTarget): FilterChain[] {
  if (isHttp(target.protocol)) return [chain(scope, target, 'http', 'raw_buffer', [], false)];
  const sniffed = target.protocol === 'unknown' ? [chain(scope, target, 'http', 'raw_buffer', PLAIN_HTTP, false)] : [];
  return [...sniffed, chain(scope, target, 'tcp', 'tls', [], false), chain(scope, target, 'tcp', 'raw_buffer', [], false)];
}

/**
 * The filter chains of a port. STRICT: mutual TLS and nothing else, so plain text matches no chain and is closed. PERMISSIVE:
 * the mesh's mutual TLS and plain text; on ports that are not HTTP also TLS that the application itself ends. DISABLE: no mutual TLS.
 */
export function inboundChains(scope: Scope, target: InboundTarget): FilterChain[] {
  switch (target.mode) {
    case 'STRICT':
      return tlsChains(scope, target, true);
    case 'PERMISSIVE':
      return [...tlsChains(scope, target, false), ...plainChains(scope, target)];
    case 'DISABLE':
      return plainChains(scope, target);
    default:
      return target.mode satisfies never;
  }
}
