import { create } from '@bufbuild/protobuf';
import { type TransportSocket, TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { DownstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { typedConfig } from '../wire/any.ts';
import { tlsParameters } from './parameters.ts';
import { ownCertificate, trustedRoots } from './secrets.ts';
import { anyMeshIdentity } from './secure-naming.ts';

/** Forward secrecy and authenticated encryption only; for TLS 1.2, since 1.3 has no others. */
const CIPHERS = Object.freeze([
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
]);

/**
 * The server's side of mutual TLS: the workload's certificate, and a client certificate required from this mesh.
 * @param alpn what the server chooses from; the `istio` names are for filter chains and are never chosen
 */
export function mutualTlsServer(mesh: MeshConfig, alpn: readonly string[]): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: typedConfig(DownstreamTlsContextSchema, {
      requireClientCertificate: true,
      commonTlsContext: {
        alpnProtocols: [...alpn],
        tlsParams: tlsParameters({}, mesh.meshMtls, CIPHERS),
        tlsCertificateSdsSecretConfigs: [ownCertificate()],
        validationContextType: {
          case: 'combinedValidationContext',
          value: {
            defaultValidationContext: { matchTypedSubjectAltNames: anyMeshIdentity(mesh) },
            validationContextSdsSecretConfig: trustedRoots(),
          },
        },
      },
    }),
  });
}
