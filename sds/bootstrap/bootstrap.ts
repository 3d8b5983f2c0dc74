import { create, createRegistry, type JsonValue, toJson } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type Bootstrap, BootstrapSchema } from '#gen/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { ApiConfigSource_ApiType, ApiVersion } from '#gen/envoy/config/core/v3/config_source_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HttpProtocolOptionsSchema } from '#gen/gatehouse/envoy/v3/http_protocol_options_pb.js';
import {
  ADS_CLUSTER,
  adminCluster,
  adsCluster,
  agentCluster,
  grpcTo,
  LOG_CLUSTER,
  milliseconds,
  SDS_CLUSTER,
  tcp,
} from './clusters.ts';
import type { BootstrapInput } from './input.ts';
import { node } from './node.ts';
import { OVERLOAD } from './overload.ts';
import { runtime } from './runtime.ts';
import { stats } from './stats.ts';

/** Every type that stands in an Any below. */
const REGISTRY = createRegistry(HttpProtocolOptionsSchema, UpstreamTlsContextSchema, TcpProxySchema);

const ADS = {
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: milliseconds(0),
  configSourceSpecifier: { case: 'ads' as const, value: {} },
};

/** The bootstrap of one proxy (envoy.config.bootstrap.v3.Bootstrap). */
export function bootstrap(input: BootstrapInput): Bootstrap {
  const { adminPort, adminSocket } = input;
  return create(BootstrapSchema, {
    node: node(input.node),
    // 0600: whoever can write to the admin interface can stop the proxy and read its configuration.
    admin: { address: { address: { case: 'pipe', value: { path: adminSocket, mode: 0o600 } } } },
    dynamicResources: {
      ldsConfig: ADS,
      cdsConfig: ADS,
      adsConfig: {
        apiType: input.xds === 'delta' ? ApiConfigSource_ApiType.DELTA_GRPC : ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [grpcTo(ADS_CLUSTER)],
      },
    },
    staticResources: {
      // Envoy takes them in order, and the control plane's waits for secrets that come over sds-grpc.
      clusters: [
        agentCluster(SDS_CLUSTER, input.sdsSocket),
        agentCluster(LOG_CLUSTER, input.sdsSocket),
        adsCluster(input.controlPlane),
        ...(adminPort === undefined ? [] : [adminCluster(adminSocket)]),
      ],
      listeners: adminPort === undefined ? [] : [adminListener(adminPort)],
    },
    layeredRuntime: runtime(),
    statsConfig: stats(),
  });
}

/** The bootstrap as the JSON that `envoy -c` reads. */
export function bootstrapJson(input: BootstrapInput): JsonValue {
  const json = toJson(BootstrapSchema, bootstrap(input), { registry: REGISTRY });
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new TypeError('a message is a JSON object');
  return { ...json, overloadManager: OVERLOAD };
}

/** The admin interface on the loopback of the proxy's own network, for people and scrapers. */
function adminListener(port: number): Listener {
  const proxy = create(TcpProxySchema, { statPrefix: 'admin', clusterSpecifier: { case: 'cluster', value: 'admin' } });
  return create(ListenerSchema, {
    name: 'admin',
    address: tcp('127.0.0.1', port),
    filterChains: [
      {
        filters: [
          { name: 'envoy.filters.network.tcp_proxy', configType: { case: 'typedConfig', value: anyPack(TcpProxySchema, proxy) } },
        ],
      },
    ],
  });
}
