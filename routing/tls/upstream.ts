import { create } from '@bufbuild/protobuf';
import { type TransportSocket, TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { RawBufferSchema } from '#gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js';
import type { SubjectAltNameMatcher } from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { TlsParameters } from '../../mesh/model/mesh-config.ts';
import type { Protocol } from '../../mesh/model/port.ts';
import { typedConfig } from '../wire/any.ts';
import { tlsParameters } from './parameters.ts';
import { ownCertificate, trustedRoots } from './secrets.ts';

/**
 * What a client offers: `istio` says "mutual TLS of the mesh" to a permissive server; HTTP/2 is named as well where the
 * cluster speaks it.
 */
export function meshAlpn(protocol: Protocol): readonly string[] {
  return protocol === 'http2' || protocol === 'grpc' ? ['istio', 'h2'] : ['istio'];
}

export interface MutualTlsClient {
  readonly sni: string;
  readonly alpn: readonly string[];
  /** Never empty: an empty list would accept any certificate under the root. */
  readonly servers: readonly SubjectAltNameMatcher[];
  /** MeshConfig's; a server that was told the same curves finds one that is offered. */
  readonly parameters?: TlsParameters | undefined;
}

/** The client's side of mutual TLS: the workload's certificate, and a server that is one of `servers`. */
export function mutualTlsClient({ sni, alpn, servers, parameters }: MutualTlsClient): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: typedConfig(UpstreamTlsContextSchema, {
      sni,
      commonTlsContext: {
        alpnProtocols: [...alpn],
        tlsParams: tlsParameters({}, parameters),
        tlsCertificateSdsSecretConfigs: [ownCertificate()],
        validationContextType: {
          case: 'combinedValidationContext',
          value: {
            defaultValidationContext: { matchTypedSubjectAltNames: [...servers] },
            validationContextSdsSecretConfig: trustedRoots(),
          },
        },
      },
    }),
  });
}

export function plainText(): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.raw_buffer',
    configType: typedConfig(RawBufferSchema, {}),
  });
}
