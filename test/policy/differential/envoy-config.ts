import { create, toJson } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { BootstrapSchema } from '#gen/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { Cluster_DiscoveryType, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { HeaderValueOption_HeaderAppendAction, HeaderValueOptionSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import type { Filter } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { DownstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { blackHole } from '../../../routing/clusters/fixed.ts';
import { httpProtocolOptions } from '../../../routing/clusters/protocol-options.ts';
import { compileProxy } from '../../../routing/compile.ts';
import type { StaticOptions } from '../../../routing/static.ts';
import { staticListener } from '../../../routing/static/listener.ts';
import { socketAddress } from '../../../routing/wire/address.ts';
import { EXTENSIONS } from '../../../routing/wire/registry.ts';
import { runtime } from '../../../sds/bootstrap/runtime.ts';
import { inboundSecurity } from '../../../xds/resources/security.ts';
import { type Authorizers, CLUSTERS_OF_AUTHORIZERS } from './authorizers.ts';
import { DUAL_STACK, type Place } from './world.ts';

// The listeners are those that a sidecar is sent. What stands behind the filters that decide is ours: HTTP is answered at
// once, with what the filters noted in headers; TCP goes to an echo server.

const ECHO = 'echo';
const METADATA = 'envoy.filters.http.rbac';

/** Headers of every response, and what stands in them. */
export const NOTED = Object.freeze({
  details: 'x-details',
  rule: 'x-rule',
  shadowDeny: 'x-shadow-deny',
  shadowAllow: 'x-shadow-allow',
  audit: 'x-audit',
});

function noted() {
  const header = (key: string, value: string) =>
    create(HeaderValueOptionSchema, {
      header: { key, value },
      appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    });
  const shadow = (side: string): string => {
    const of = (name: string): string => `%DYNAMIC_METADATA(${METADATA}:istio_dry_run_${side}_shadow_${name})%`;
    return `${of('engine_result')} ${of('effective_policy_id')}`;
  };
  return [
    header(NOTED.details, '%RESPONSE_CODE_DETAILS%'),
    header(NOTED.rule, `%DYNAMIC_METADATA(${METADATA}:enforced_effective_policy_id)%`),
    header(NOTED.shadowDeny, shadow('deny')),
    header(NOTED.shadowAllow, shadow('allow')),
    header(NOTED.audit, `%DYNAMIC_METADATA(${METADATA}:gatehouse_audit_enforced_effective_policy_id)%`),
  ];
}

function observed(filter: Filter): void {
  if (filter.configType.case !== 'typedConfig') return;
  const any = filter.configType.value;
  const manager = anyUnpack(any, HttpConnectionManagerSchema);
  if (manager !== undefined) {
    if (manager.routeSpecifier.case !== 'routeConfig') throw new TypeError('inbound routes come with the listener');
    const routes = manager.routeSpecifier.value;
    routes.responseHeadersToAdd = noted();
    for (const route of routes.virtualHosts.flatMap((host) => host.routes))
      route.action = { case: 'directResponse', value: { $typeName: 'envoy.config.route.v3.DirectResponseAction', status: 200 } };
    manager.localReplyConfig = {
      $typeName: 'envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig',
      mappers: [
        {
          $typeName: 'envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper',
          filter: {
            $typeName: 'envoy.config.accesslog.v3.AccessLogFilter',
            filterSpecifier: {
              case: 'notHealthCheckFilter',
              value: { $typeName: 'envoy.config.accesslog.v3.NotHealthCheckFilter' },
            },
          },
          headersToAdd: noted(),
        },
      ],
    };
    filter.configType = { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) };
    return;
  }
  const proxy = anyUnpack(any, TcpProxySchema);
  if (proxy === undefined) return;
  proxy.clusterSpecifier = { case: 'cluster', value: ECHO };
  filter.configType = { case: 'typedConfig', value: anyPack(TcpProxySchema, proxy) };
}

/** Lets every certificate in, and none, so that policy alone must tell. */
function relax(listener: Listener): void {
  for (const { transportSocket } of listener.filterChains) {
    if (transportSocket?.configType.case !== 'typedConfig') continue;
    const context = anyUnpack(transportSocket.configType.value, DownstreamTlsContextSchema);
    if (context?.commonTlsContext === undefined) continue;
    context.requireClientCertificate = false;
    const { validationContextType: validation } = context.commonTlsContext;
    if (validation.case === 'validationContext') validation.value.matchTypedSubjectAltNames = [];
    transportSocket.configType = { case: 'typedConfig', value: anyPack(DownstreamTlsContextSchema, context) };
  }
}

function listenersOf(place: Place, options: StaticOptions, name: string): readonly Listener[] {
  const { snapshot, workload } = place;
  const [instance] = workload.instances;
  if (instance === undefined) throw new TypeError('a workload without an instance');
  const compiled = compileProxy(snapshot, { kind: 'sidecar', workload, instance }, inboundSecurity(snapshot, workload));
  return compiled.listeners
    .filter((listener) => listener.name.startsWith('inbound_'))
    .map((listener) => {
      const copy = staticListener(listener, new Map(), options);
      copy.name = `${name}_${listener.name}`;
      for (const filter of copy.filterChains.flatMap((chain) => chain.filters)) observed(filter);
      if (place.world.lax) relax(copy);
      const at = copy.address?.address;
      if (place.address === DUAL_STACK && at?.case === 'socketAddress') at.value.ipv4Compat = true;
      return copy;
    });
}

function clusterOf(name: string, port: number, http2: boolean) {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: {
      clusterName: name,
      endpoints: [
        { lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: socketAddress('127.0.0.1', port) } } }] },
      ],
    },
    ...(http2 ? { typedExtensionProtocolOptions: httpProtocolOptions('grpc') } : {}),
  });
}

/** Where what the proxies call listens, on the loopback address. */
export interface Backends {
  readonly echo: number;
  readonly authorizers: Authorizers['ports'];
}

/** One Envoy that is the sidecar of every place at once. */
export function bootstrapOf(places: readonly Place[], options: StaticOptions, { echo, authorizers }: Backends): object {
  const bootstrap = create(BootstrapSchema, {
    node: options.node,
    admin: { address: socketAddress('127.0.0.1', 0) },
    staticResources: {
      clusters: [
        clusterOf(ECHO, echo, false),
        clusterOf(CLUSTERS_OF_AUTHORIZERS.http, authorizers.http, false),
        clusterOf(CLUSTERS_OF_AUTHORIZERS.grpc, authorizers.grpc, true),
        blackHole(),
      ],
      listeners: places.flatMap((place, index) => listenersOf(place, options, `world-${index}`)),
    },
    layeredRuntime: runtime(),
  });
  return Object(toJson(BootstrapSchema, bootstrap, { registry: EXTENSIONS })) as object;
}
