import { clone, create } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { AccessLog } from '#gen/envoy/config/accesslog/v3/accesslog_pb.js';
import { TrafficDirection } from '#gen/envoy/config/core/v3/base_pb.js';
import type { Filter } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import {
  HttpConnectionManager_TracingSchema,
  HttpConnectionManagerSchema,
  RequestIDExtensionSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { furtherLog } from '../access-log/file.ts';
import type { Vantage } from '../access-log/grpc.ts';
import { type LogSettings, logSettings } from '../access-log/settings.ts';
import { kept } from '../kept.ts';
import type { Scope } from '../scope.ts';
import { requestId, tracingOf } from '../tracing/http-tracing.ts';
import { type TracingSettings, tracingSettings } from '../tracing/settings.ts';
import { canonicalName, spanTags, tracedName } from '../tracing/tags.ts';

/** What is added to listeners of one direction. */
interface Added {
  readonly logs: readonly LogSettings[];
  readonly tracing: TracingSettings | undefined;
}

/** The other logs stand beside each log that goes to the control plane, under the same condition. */
function withLogs(logs: readonly LogSettings[], of: 'request' | 'connection', present: readonly AccessLog[]): AccessLog[] {
  return [...present, ...present.flatMap(({ filter }) => logs.flatMap((one) => furtherLog(one, of, filter)))];
}

function changeFilter(scope: Scope, { logs, tracing }: Added, filter: Filter): void {
  if (filter.configType.case !== 'typedConfig') return;
  const any = filter.configType.value;
  const manager = anyUnpack(any, HttpConnectionManagerSchema);
  if (manager !== undefined) {
    manager.accessLog = withLogs(logs, 'request', manager.accessLog);
    if (tracing !== undefined) {
      manager.tracing = create(HttpConnectionManager_TracingSchema, tracingOf(scope, tracing));
      const extension = requestId(tracing);
      if (extension !== undefined) manager.requestIdExtension = create(RequestIDExtensionSchema, extension);
    }
    filter.configType = { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) };
    return;
  }
  const proxy = anyUnpack(any, TcpProxySchema);
  if (proxy === undefined) return;
  proxy.accessLog = withLogs(logs, 'connection', proxy.accessLog);
  filter.configType = { case: 'typedConfig', value: anyPack(TcpProxySchema, proxy) };
}

function changed(scope: Scope, added: Added, listener: Listener): Listener {
  const copy = clone(ListenerSchema, listener);
  copy.accessLog = withLogs(added.logs, 'connection', copy.accessLog);
  const chains = [...copy.filterChains, ...(copy.defaultFilterChain === undefined ? [] : [copy.defaultFilterChain])];
  for (const chain of chains) for (const filter of chain.filters) changeFilter(scope, added, filter);
  return copy;
}

function vantageOf({ proxy }: Scope, listener: Listener): Vantage {
  if (proxy.kind === 'gateway') return 'gateway';
  return listener.trafficDirection === TrafficDirection.INBOUND ? 'inbound' : 'outbound';
}

/** Proxies of a namespace share listeners; those that are told the same share them with their telemetry, too. */
const remembered = kept<Listener, Listener>(64);

/**
 * Listeners with the tracing and the file logs that MeshConfig and Telemetry objects ask for. Where they ask for none, the
 * same listeners: what most meshes have costs nothing here.
 */
export function withTelemetry(scope: Scope, listeners: readonly Listener[]): readonly Listener[] {
  const { snapshot, proxy } = scope;
  if (snapshot.telemetries.length === 0 && snapshot.meshConfig.telemetry === undefined) return listeners;
  const byVantage = new Map<Vantage, { readonly added: Added; readonly key: string }>();
  const addedAt = (vantage: Vantage) => {
    const before = byVantage.get(vantage);
    if (before !== undefined) return before;
    const added = { logs: logSettings(scope, vantage), tracing: tracingSettings(scope, vantage) };
    const own = added.tracing === undefined ? [] : [tracedName(proxy), canonicalName(proxy), tagsOf(scope, added.tracing)];
    const made = { added, key: JSON.stringify([added, own]) };
    byVantage.set(vantage, made);
    return made;
  };
  return listeners.map((listener) => {
    const { added, key } = addedAt(vantageOf(scope, listener));
    if (added.logs.length === 0 && added.tracing === undefined) return listener;
    return remembered.get(listener, [key], () => changed(scope, added, listener));
  });
}

function tagsOf({ snapshot, proxy }: Scope, { customTags }: TracingSettings) {
  return spanTags(snapshot, proxy, customTags).map(({ tag, type }) => [tag, type.case === 'literal' ? type.value.value : '']);
}
