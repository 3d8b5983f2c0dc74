import { isIP } from 'node:net';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { anyPack, type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import type { AddressSchema } from '#gen/envoy/config/core/v3/address_pb.js';
import { ApiConfigSource_ApiType, ApiVersion, ConfigSourceSchema } from '#gen/envoy/config/core/v3/config_source_pb.js';
import { RoutingPriority } from '#gen/envoy/config/core/v3/base_pb.js';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  ClusterSchema,
} from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import {
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { SdsSecretConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { HttpProtocolOptionsSchema } from '#gen/gatehouse/envoy/v3/http_protocol_options_pb.js';
import { TRUST_ROOTS, WORKLOAD_CERTIFICATE } from '../secret/secret.ts';
import type { ControlPlaneAddress } from './input.ts';

export const SDS_CLUSTER = 'sds-grpc';
/** Discovery: the control plane itself. */
export const ADS_CLUSTER = 'control-plane';
/**
 * Where configuration has access logs sent to, whoever's bootstrap it is: here the agent, which keeps them until the control plane has
 * them in its store; in a bootstrap without our agent the control plane itself.
 */
export const LOG_CLUSTER = 'xds-grpc';
const ADMIN_CLUSTER = 'admin';

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

export const milliseconds = (ms: number): Duration =>
  create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 });

type AddressInit = MessageInitShape<typeof AddressSchema>;

const pipe = (path: string): AddressInit => ({ address: { case: 'pipe', value: { path } } });
export const tcp = (address: string, port: number): AddressInit => ({
  address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
});

const endpoint = (clusterName: string, address: AddressInit) => ({
  clusterName,
  endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint' as const, value: { address } } }] }],
});

const http2 = (value: MessageInitShape<typeof HttpProtocolOptionsSchema>) => ({
  [HTTP_OPTIONS]: anyPack(HttpProtocolOptionsSchema, create(HttpProtocolOptionsSchema, value)),
});

/** The agent's server on its Unix socket, under one of its names. */
export function agentCluster(name: typeof SDS_CLUSTER | typeof LOG_CLUSTER, socketPath: string): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: milliseconds(1000),
    typedExtensionProtocolOptions: http2({
      upstreamProtocolOptions: {
        case: 'explicitHttpConfig',
        value: { protocolConfig: { case: 'http2ProtocolOptions', value: {} } },
      },
    }),
    loadAssignment: endpoint(name, pipe(socketPath)),
  });
}

/** Envoy's admin interface as an upstream, for the listener that gives it a TCP port. */
export function adminCluster(socketPath: string): Cluster {
  return create(ClusterSchema, {
    name: ADMIN_CLUSTER,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: milliseconds(1000),
    loadAssignment: endpoint(ADMIN_CLUSTER, pipe(socketPath)),
  });
}

/**
 * The control plane: ADS over mutual TLS.
 *
 * HTTP/2 pings every 5 s with 5 s to answer find a half-open connection within about 11 s (Envoy adds up to 15 % of
 * jitter to the interval). The circuit breakers are out of the way: their defaults would count long-lived streams.
 */
export function adsCluster(controlPlane: ControlPlaneAddress): Cluster {
  const byName = isIP(controlPlane.host) === 0;
  const limits = { maxConnections: 1024, maxPendingRequests: 100_000, maxRequests: 100_000 };
  return create(ClusterSchema, {
    name: ADS_CLUSTER,
    clusterDiscoveryType: { case: 'type', value: byName ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.STATIC },
    ...(byName && {
      dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
      dnsRefreshRate: milliseconds(5000),
      respectDnsTtl: true,
    }),
    connectTimeout: milliseconds(2000),
    typedExtensionProtocolOptions: http2({
      upstreamProtocolOptions: {
        case: 'explicitHttpConfig',
        value: {
          protocolConfig: {
            case: 'http2ProtocolOptions',
            value: { connectionKeepalive: { interval: milliseconds(5000), timeout: milliseconds(5000) } },
          },
        },
      },
    }),
    circuitBreakers: { thresholds: [RoutingPriority.DEFAULT, RoutingPriority.HIGH].map((priority) => ({ priority, ...limits })) },
    upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 10, keepaliveInterval: 5, keepaliveProbes: 3 } },
    transportSocket: {
      name: 'envoy.transport_sockets.tls',
      configType: { case: 'typedConfig', value: anyPack(UpstreamTlsContextSchema, controlPlaneTls(controlPlane.serverName)) },
    },
    loadAssignment: endpoint(ADS_CLUSTER, tcp(controlPlane.host, controlPlane.port)),
  });
}

/** TLS 1.3, so that the client certificate, and with it who talks to the control plane, is not readable on the way. */
function controlPlaneTls(serverName: string) {
  return create(UpstreamTlsContextSchema, {
    sni: serverName,
    commonTlsContext: {
      alpnProtocols: ['h2'],
      tlsParams: {
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      },
      tlsCertificateSdsSecretConfigs: [secretFromAgent(WORKLOAD_CERTIFICATE)],
      validationContextType: {
        case: 'combinedValidationContext',
        value: {
          defaultValidationContext: {
            matchTypedSubjectAltNames: [
              { sanType: SubjectAltNameMatcher_SanType.DNS, matcher: { matchPattern: { case: 'exact', value: serverName } } },
            ],
          },
          validationContextSdsSecretConfig: secretFromAgent(TRUST_ROOTS),
        },
      },
    },
  });
}

/** A reference to a secret of the agent. Timeout 0: never go on without it. */
export function secretFromAgent(name: string) {
  return create(SdsSecretConfigSchema, {
    name,
    sdsConfig: create(ConfigSourceSchema, {
      resourceApiVersion: ApiVersion.V3,
      initialFetchTimeout: milliseconds(0),
      configSourceSpecifier: {
        case: 'apiConfigSource',
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [grpcTo(SDS_CLUSTER)],
        },
      },
    }),
  });
}

/** A gRPC service on a static cluster, reconnected within 0.1 to 2 s (Envoy's own back-off grows to 30 s). */
export function grpcTo(clusterName: string) {
  return {
    targetSpecifier: {
      case: 'envoyGrpc' as const,
      value: { clusterName, retryPolicy: { retryBackOff: { baseInterval: milliseconds(100), maxInterval: milliseconds(2000) } } },
    },
  };
}
