import { create } from '@bufbuild/protobuf';
import {
  type TlsParameters,
  TlsParameters_TlsProtocol as Version,
  TlsParametersSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import type { TlsVersion } from '../../mesh/model/gateway.ts';
import type { TlsParameters as OfMesh } from '../../mesh/model/mesh-config.ts';

const VERSIONS = Object.freeze({
  TLSV1_0: Version.TLSv1_0,
  TLSV1_1: Version.TLSv1_1,
  TLSV1_2: Version.TLSv1_2,
  TLSV1_3: Version.TLSv1_3,
});

export interface Wanted {
  readonly minVersion?: TlsVersion | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  readonly cipherSuites?: readonly string[];
  readonly ecdhCurves?: readonly string[];
}

const first = (...lists: readonly (readonly string[] | undefined)[]): string[] => [
  ...(lists.find((list) => list !== undefined && list.length > 0) ?? []),
];

/** A least version of the mesh's configuration does not hold where the server allows nothing as new: Envoy would refuse the whole listener. */
function least({ minVersion, maxVersion }: Wanted, mesh: OfMesh | undefined): TlsVersion {
  const wanted = minVersion ?? mesh?.minVersion ?? 'TLSV1_2';
  return minVersion === undefined && maxVersion !== undefined && VERSIONS[wanted] > VERSIONS[maxVersion] ? maxVersion : wanted;
}

/**
 * What TLS is negotiated with: as is wanted here, else as the mesh's configuration says, else `ciphers` (none: Envoy's own) from TLS 1.2 on.
 */
export function tlsParameters(wanted: Wanted, mesh: OfMesh | undefined, ciphers?: readonly string[]): TlsParameters {
  return create(TlsParametersSchema, {
    tlsMinimumProtocolVersion: VERSIONS[least(wanted, mesh)],
    tlsMaximumProtocolVersion: VERSIONS[wanted.maxVersion ?? 'TLSV1_3'],
    cipherSuites: first(wanted.cipherSuites, mesh?.cipherSuites, ciphers),
    ecdhCurves: first(wanted.ecdhCurves, mesh?.ecdhCurves),
  });
}
