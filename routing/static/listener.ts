import { clone } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { AccessLog } from '#gen/envoy/config/accesslog/v3/accesslog_pb.js';
import type { Filter, FilterChain } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { HttpGrpcAccessLogConfigSchema, TcpGrpcAccessLogConfigSchema } from '#gen/gatehouse/envoy/v3/grpc_access_log_pb.js';
import { stdoutAccessLog } from '../access-log/stdout.ts';
import { CONTROL_PLANE_CLUSTER } from '../wire/config-source.ts';
import type { StaticAccessLog, StaticOptions } from './options.ts';
import { withSecrets } from './tls.ts';

/** Logs to files and to Services are asked for by the mesh's own configuration, and stay. */
function goesToControlPlane({ configType }: AccessLog): boolean {
  if (configType.case !== 'typedConfig') return false;
  const sent =
    anyUnpack(configType.value, HttpGrpcAccessLogConfigSchema) ?? anyUnpack(configType.value, TcpGrpcAccessLogConfigSchema);
  const target = sent?.commonConfig?.grpcService?.targetSpecifier;
  return target?.case === 'envoyGrpc' && target.value.clusterName === CONTROL_PLANE_CLUSTER;
}

/** Read as JSON, a tag has one kind: of two, which a proxy takes from the wire, the newer. */
function readAsJson(log: AccessLog): AccessLog {
  if (log.configType.case !== 'typedConfig') return log;
  const any = log.configType.value;
  for (const schema of [HttpGrpcAccessLogConfigSchema, TcpGrpcAccessLogConfigSchema]) {
    const sent = anyUnpack(any, schema);
    if (sent === undefined) continue;
    for (const tag of sent.commonConfig?.customTags ?? []) if (tag.value !== '') delete tag.literal;
    return { ...log, configType: { case: 'typedConfig', value: anyPack(schema, sent) } };
  }
  return log;
}

function logs(wanted: StaticAccessLog, present: readonly AccessLog[]): AccessLog[] {
  if (present.length === 0) return [];
  switch (wanted.kind) {
    case 'none':
      return present.filter((log) => !goesToControlPlane(log));
    case 'stdout':
      return present.map((log) =>
        goesToControlPlane(log) ? { ...stdoutAccessLog(), ...(log.filter === undefined ? {} : { filter: log.filter }) } : log,
      );
    case 'grpc':
      return present.map(readAsJson);
    default:
      return wanted satisfies never;
  }
}

type RoutesByName = ReadonlyMap<string, RouteConfiguration>;

function settle(filter: Filter, routes: RoutesByName, options: StaticOptions): void {
  if (filter.configType.case !== 'typedConfig') return;
  const any = filter.configType.value;
  const manager = anyUnpack(any, HttpConnectionManagerSchema);
  if (manager !== undefined) {
    manager.accessLog = logs(options.accessLog, manager.accessLog);
    if (manager.routeSpecifier.case === 'rds') {
      const { routeConfigName } = manager.routeSpecifier.value;
      const value = routes.get(routeConfigName);
      if (value === undefined) throw new TypeError(`no route configuration ${routeConfigName}`);
      manager.routeSpecifier = { case: 'routeConfig', value };
    }
    filter.configType = { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) };
    return;
  }
  const proxy = anyUnpack(any, TcpProxySchema);
  if (proxy === undefined) return;
  proxy.accessLog = logs(options.accessLog, proxy.accessLog);
  // Readers want one line for a connection.
  if (options.accessLog.kind !== 'grpc') delete proxy.accessLogOptions;
  filter.configType = { case: 'typedConfig', value: anyPack(TcpProxySchema, proxy) };
}

/** A listener with its routes in it, its logs and secrets as the options say. */
export function staticListener(listener: Listener, routes: RoutesByName, options: StaticOptions): Listener {
  const copy = clone(ListenerSchema, listener);
  copy.accessLog = logs(options.accessLog, copy.accessLog);
  const chains: readonly FilterChain[] = [
    ...copy.filterChains,
    ...(copy.defaultFilterChain === undefined ? [] : [copy.defaultFilterChain]),
  ];
  for (const chain of chains) {
    for (const filter of chain.filters) settle(filter, routes, options);
    if (chain.transportSocket !== undefined) chain.transportSocket = withSecrets(chain.transportSocket, options.secrets);
  }
  return copy;
}
