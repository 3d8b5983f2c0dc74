// The least control plane that makes an Envoy live: one listener over delta ADS, behind mutual TLS.
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { FaultDelay_HeaderDelaySchema, FaultDelaySchema } from '#gen/envoy/extensions/filters/common/fault/v3/fault_pb.js';
import { HTTPFaultSchema } from '#gen/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RouterSchema } from '#gen/envoy/extensions/filters/http/router/v3/router_pb.js';
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManagerSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { CommonTlsContextSchema, DownstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { AggregatedDiscoveryService } from '#gen/envoy/service/discovery/v3/ads_pb.js';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { secretFromAgent, tcp } from '../../sds/bootstrap/clusters.ts';
import { rpc } from '../../sds/grpc.ts';
import type { Extra } from './authority.ts';

const pack = <D extends DescMessage>(schema: D, message: MessageShape<D>) => ({
  case: 'typedConfig' as const,
  value: anyPack(schema, message),
});

/** `x-envoy-fault-delay-request: MS` delays an answer. */
const slowOnDemand = create(HTTPFaultSchema, {
  delay: create(FaultDelaySchema, {
    faultDelaySecifier: { case: 'headerDelay', value: create(FaultDelay_HeaderDelaySchema) },
    percentage: { numerator: 100 },
  }),
});

/** Names under which the agent has a certificate and roots. */
export interface SecretNames {
  readonly certificate: string;
  readonly roots: string;
}

/** An HTTPS listener that answers 200 itself, with the agent's certificate. `mutual` asks clients for one of the same roots. */
export function echoListener(
  port: number,
  mutual: boolean,
  host = '127.0.0.1',
  secrets: SecretNames = { certificate: 'default', roots: 'ROOTCA' },
): Listener {
  const manager = create(HttpConnectionManagerSchema, {
    codecType: HttpConnectionManager_CodecType.AUTO,
    statPrefix: 'echo',
    httpFilters: [
      { name: 'envoy.filters.http.fault', configType: pack(HTTPFaultSchema, slowOnDemand) },
      { name: 'envoy.filters.http.router', configType: pack(RouterSchema, create(RouterSchema)) },
    ],
    routeSpecifier: {
      case: 'routeConfig',
      value: {
        name: 'echo',
        virtualHosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                match: { pathSpecifier: { case: 'prefix', value: '/' } },
                action: {
                  case: 'directResponse',
                  value: { status: 200, body: { specifier: { case: 'inlineString', value: 'hello' } } },
                },
              },
            ],
          },
        ],
      },
    },
  });
  const tls = create(DownstreamTlsContextSchema, {
    requireClientCertificate: mutual,
    commonTlsContext: create(CommonTlsContextSchema, {
      tlsCertificateSdsSecretConfigs: [secretFromAgent(secrets.certificate)],
      validationContextType: { case: 'validationContextSdsSecretConfig', value: secretFromAgent(secrets.roots) },
    }),
  });
  return create(ListenerSchema, {
    name: 'echo',
    address: tcp(host, port),
    filterChains: [
      {
        filters: [
          { name: 'envoy.filters.network.http_connection_manager', configType: pack(HttpConnectionManagerSchema, manager) },
        ],
        transportSocket: { name: 'envoy.transport_sockets.tls', configType: pack(DownstreamTlsContextSchema, tls) },
      },
    ],
  });
}

/** What an ADS stream of the test's control plane saw. */
export interface SeenStream {
  readonly nodeId: string;
  readonly peerSerial: string | undefined;
}

/** Delta ADS with `listener(nodeId)` for each proxy. */
export function adsService(listener: (nodeId: string) => Listener, seen: SeenStream[]): Extra {
  const method = rpc(AggregatedDiscoveryService.method.deltaAggregatedResources);
  const listenerType = `type.googleapis.com/${ListenerSchema.typeName}`;
  const clusterType = `type.googleapis.com/${ClusterSchema.typeName}`;
  return {
    definition: { deltaAggregatedResources: method },
    implementation: {
      deltaAggregatedResources(call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) {
        const answered = new Set<string>();
        let nodeId = '';
        call.on('data', (request: DeltaDiscoveryRequest) => {
          if (request.node !== undefined && nodeId === '') {
            nodeId = request.node.id;
            seen.push({ nodeId, peerSerial: call.getAuthContext().sslPeerCertificate?.serialNumber?.toLowerCase() });
          }
          if (answered.has(request.typeUrl) || request.responseNonce !== '') return;
          answered.add(request.typeUrl);
          const one = request.typeUrl === listenerType ? listener(nodeId) : undefined;
          const resources = one === undefined ? [] : [{ name: one.name, version: '1', resource: anyPack(ListenerSchema, one) }];
          if (one === undefined && request.typeUrl !== clusterType) return;
          call.write(
            create(DeltaDiscoveryResponseSchema, { typeUrl: request.typeUrl, nonce: '1', systemVersionInfo: '1', resources }),
          );
        });
        call.on('end', () => call.end());
        call.on('error', () => {});
      },
    },
  };
}
