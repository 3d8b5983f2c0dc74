import { create } from '@bufbuild/protobuf';
import { type TransportSocket, TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { RawBufferSchema } from '#gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js';
import {
  type SubjectAltNameMatcher,
  TlsParameters_TlsProtocol,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { Protocol } from '../../mesh/model/port.ts';
import { typedConfig } from '../wire/any.ts';
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
}

/** The client's side of mutual TLS: the workload's certificate, and a server that is one of `servers`. */
export function mutualTlsClient({ sni, alpn, servers }: MutualTlsClient): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: typedConfig(UpstreamTlsContextSchema, {
      sni,
      commonTlsContext: {
        alpnProtocols: [...alpn],
        tlsParams: {
          tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
          tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
        },
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
