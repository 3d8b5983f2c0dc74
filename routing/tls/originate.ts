import { create } from '@bufbuild/protobuf';
import { type TransportSocket, TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import {
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
  SubjectAltNameMatcherSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { OriginatedTls } from '../../mesh/model/destination-rule.ts';
import type { Hostname } from '../../mesh/model/hostname.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { typedConfig } from '../wire/any.ts';
import { bySds, keyPairName, validationOf } from './named-secrets.ts';
import { tlsParameters } from './parameters.ts';

/** A name of the server may be a DNS name or a URI; Envoy wants to be told which. */
function names(written: readonly string[]): SubjectAltNameMatcher[] {
  return written.map((value) =>
    create(SubjectAltNameMatcherSchema, {
      sanType: value.includes('://') ? SubjectAltNameMatcher_SanType.URI : SubjectAltNameMatcher_SanType.DNS,
      matcher: { matchPattern: { case: 'exact', value } },
    }),
  );
}

export interface Origination {
  readonly tls: OriginatedTls;
  /** The server that is called, where that is one name; undefined for a wildcard. */
  readonly host: Hostname | undefined;
  /** Name and check the host that each request asks for: only a cluster that speaks HTTP can. */
  readonly byRequest: boolean;
  readonly http2: boolean;
  readonly defaults: MeshConfig['tlsDefaults'];
}

/**
 * TLS toward a server that is not of the mesh. Its certificate must be under the authorities named (the system's, if none are)
 * and bear one of the names: an authority alone would let any of its customers answer.
 */
export function originateTls({ tls, host, byRequest, http2, defaults }: Origination): TransportSocket {
  const own = tls.subjectAltNames.length > 0 ? tls.subjectAltNames : byRequest || host === undefined ? [] : [host];
  const checked = validationOf(tls.authorities, { matchTypedSubjectAltNames: names(own) });
  const sni = tls.sni ?? (byRequest ? '' : (host ?? ''));
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: typedConfig(UpstreamTlsContextSchema, {
      sni,
      commonTlsContext: {
        alpnProtocols: http2 ? ['h2'] : [],
        tlsParams: tlsParameters({}, defaults),
        tlsCertificateSdsSecretConfigs: tls.keyPair === undefined ? [] : [bySds(keyPairName(tls.keyPair))],
        ...(checked === undefined ? {} : { validationContextType: checked }),
      },
    }),
  });
}
