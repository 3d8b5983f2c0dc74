import { create } from '@bufbuild/protobuf';
import { type TransportSocket, TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import {
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType as SanType,
  SubjectAltNameMatcherSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  DownstreamTlsContextSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { TerminatedTls } from '../../mesh/model/gateway.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { typedConfig } from '../wire/any.ts';
import { ownCertificate, trustedRoots } from './secrets.ts';
import { anyMeshIdentity } from './secure-naming.ts';
import { tlsParameters } from './parameters.ts';
import { bySds, keyPairName, validationOf } from './named-secrets.ts';

/** HTTP/2 where the client can. Servers that carry bytes say the same, as Istio's do, so that clients of both find what they know. */
const ALPN = Object.freeze(['h2', 'http/1.1']);

/** A name may stand in a certificate as any of these. */
function clientNames(names: readonly string[]): SubjectAltNameMatcher[] {
  return names.flatMap((value) =>
    [SanType.DNS, SanType.URI, SanType.EMAIL, SanType.IP_ADDRESS].map((sanType) =>
      create(SubjectAltNameMatcherSchema, { sanType, matcher: { matchPattern: { case: 'exact', value } } }),
    ),
  );
}

/** Against what a client's certificate is checked; undefined where clients show none. */
function validation(tls: TerminatedTls, mesh: MeshConfig) {
  const { verifyCertificateSpki, verifyCertificateHash } = tls;
  const demands = {
    verifyCertificateSpki: [...verifyCertificateSpki],
    verifyCertificateHash: [...verifyCertificateHash],
  };
  const names = clientNames(tls.subjectAltNames);
  if (tls.clients === 'mesh')
    return {
      case: 'combinedValidationContext' as const,
      value: create(CommonTlsContext_CombinedCertificateValidationContextSchema, {
        defaultValidationContext: {
          ...demands,
          matchTypedSubjectAltNames: names.length === 0 ? anyMeshIdentity(mesh) : names,
        },
        validationContextSdsSecretConfig: trustedRoots(),
      }),
    };
  return tls.authorities === undefined
    ? undefined
    : validationOf(tls.authorities, { ...demands, matchTypedSubjectAltNames: names });
}

/**
 * The TLS that a gateway ends for clients outside of the mesh (Istio's ServerTLSSettings). Certificates and keys come from the agent
 * beside the gateway. A client that must show a certificate is never let in because there is nothing to check it against.
 */
export function gatewayTls(tls: TerminatedTls, mesh: MeshConfig): TransportSocket {
  const checked = validation(tls, mesh);
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: typedConfig(DownstreamTlsContextSchema, {
      requireClientCertificate: tls.clients === 'required' || tls.clients === 'mesh',
      commonTlsContext: {
        alpnProtocols: [...ALPN],
        tlsParams: tlsParameters(tls, tls.clients === 'mesh' ? mesh.meshMtls : mesh.tlsDefaults),
        tlsCertificateSdsSecretConfigs:
          tls.clients === 'mesh' ? [ownCertificate()] : tls.keyPairs.map((pair) => bySds(keyPairName(pair))),
        ...(checked === undefined ? {} : { validationContextType: checked }),
      },
    }),
  });
}
