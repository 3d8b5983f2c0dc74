import { create } from '@bufbuild/protobuf';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import type { Tunnel } from '../../mesh/model/destination-rule.ts';
import { tcpAccessLog, type Vantage } from '../access-log/grpc.ts';
import { narrowedTo } from '../endpoints/one-of.ts';
import type { PortPolicy } from '../clusters/traffic-policy.ts';
import { BLACK_HOLE } from '../names.ts';
import { adsSource } from '../wire/config-source.ts';
import type { TcpTarget } from '../routes/l4.ts';
import { typedConfig } from '../wire/any.ts';
import { duration } from '../wire/duration.ts';

/** The longest that a call waits for a cluster that it needs. Envoy's own figure. */
export const ON_DEMAND_MS = 5_000;

/** What a DestinationRule says of TCP connections. */
export interface TcpOptions {
  readonly idleTimeoutMs?: number | undefined;
  readonly maxConnectionDurationMs?: number | undefined;
  /** The caller's address decides which endpoint has the connection. */
  readonly hashSourceIp?: boolean;
  readonly tunnel?: Tunnel | undefined;
  /** Of a headless Service's endpoints the one at this address. */
  readonly only?: string | undefined;
  /** A cluster that is not there is asked for, and the connection waits. */
  readonly onDemand?: boolean;
}

/** The options for connections to one port of a service. */
export function tcpOptions({ connectionPool, loadBalancer, tunnel }: PortPolicy): TcpOptions {
  return {
    idleTimeoutMs: connectionPool?.tcpIdleTimeoutMs,
    maxConnectionDurationMs: connectionPool?.maxConnectionDurationMs,
    hashSourceIp: loadBalancer?.hash?.key.kind === 'source-ip',
    tunnel,
  };
}

/** One cluster, or several by their shares. */
function clusterSpecifier(target: string | TcpTarget) {
  if (typeof target === 'string') return { case: 'cluster' as const, value: target };
  const [only, ...others] = target;
  if (only !== undefined && others.length === 0) return { case: 'cluster' as const, value: only.cluster };
  // Envoy refuses an empty list; nothing has this name, so that connections are closed.
  if (only === undefined) return { case: 'cluster' as const, value: BLACK_HOLE };
  return {
    case: 'weightedClusters' as const,
    value: { clusters: target.map(({ cluster, weight }) => ({ name: cluster, weight })) },
  };
}

/** The network filter that carries bytes on. */
export function tcpProxy(vantage: Vantage, statPrefix: string, target: string | TcpTarget, options: TcpOptions = {}): Filter {
  const { idleTimeoutMs, maxConnectionDurationMs, hashSourceIp, tunnel, only, onDemand } = options;
  return create(FilterSchema, {
    name: 'envoy.filters.network.tcp_proxy',
    configType: typedConfig(TcpProxySchema, {
      statPrefix,
      clusterSpecifier: clusterSpecifier(target),
      accessLog: [tcpAccessLog(vantage)],
      accessLogOptions: { flushAccessLogOnConnected: true },
      ...(idleTimeoutMs === undefined ? {} : { idleTimeout: duration(idleTimeoutMs) }),
      ...(maxConnectionDurationMs === undefined ? {} : { maxDownstreamConnectionDuration: duration(maxConnectionDurationMs) }),
      ...(hashSourceIp === true ? { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] } : {}),
      ...(only === undefined ? {} : { metadataMatch: narrowedTo('address', only) }),
      ...(onDemand === true ? { onDemand: { odcdsConfig: adsSource(), timeout: duration(ON_DEMAND_MS) } } : {}),
      ...(tunnel === undefined
        ? {}
        : {
            tunnelingConfig: {
              hostname: `${tunnel.host.includes(':') ? `[${tunnel.host}]` : tunnel.host}:${tunnel.port}`,
              usePost: tunnel.method === 'POST',
            },
          }),
    }),
  });
}
