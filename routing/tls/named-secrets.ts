import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { DataSourceSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { CertificateValidationContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  type CommonTlsContext,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { type SdsSecretConfig, SdsSecretConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import type { Authorities, KeyPair } from '../../mesh/model/destination-rule.ts';
import { namedSdsSource } from '../wire/config-source.ts';

// The agent serves these names (Istio's), so that no key passes through the control plane.

export function keyPairName(pair: KeyPair): string {
  switch (pair.kind) {
    case 'files':
      return `file-cert:${pair.certificate}~${pair.key}`;
    case 'secret':
      return `kubernetes://${pair.name}`;
    default:
      return pair satisfies never;
  }
}

/** The agent gives authorities and the list of what they revoked as one: Envoy never has the first without the second. */
const revoking = (name: string, crl: string | undefined): string => (crl === undefined ? name : `${name}~${crl}`);

/** Undefined: nobody is checked, or the certificates go along. */
function authoritiesName(authorities: Authorities): string | undefined {
  switch (authorities.kind) {
    case 'system':
      return revoking('file-root:system', authorities.crl);
    case 'file':
      return revoking(`file-root:${authorities.path}`, authorities.crl);
    case 'secret':
      return `kubernetes://${authorities.name}-cacert`;
    case 'none':
    case 'inline':
      return undefined;
    default:
      return authorities satisfies never;
  }
}

export function bySds(name: string): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name, sdsConfig: namedSdsSource() });
}

/** Against what a certificate is checked: `demands`, and authorities by SDS or as they are; undefined where nobody is checked. */
export function validationOf(
  authorities: Authorities,
  demands: MessageInitShape<typeof CertificateValidationContextSchema>,
): CommonTlsContext['validationContextType'] | undefined {
  if (authorities.kind === 'inline')
    return {
      case: 'validationContext',
      value: create(CertificateValidationContextSchema, {
        ...demands,
        trustedCa: create(DataSourceSchema, { specifier: { case: 'inlineString', value: authorities.pem } }),
      }),
    };
  const name = authoritiesName(authorities);
  if (name === undefined) return undefined;
  return {
    case: 'combinedValidationContext',
    value: create(CommonTlsContext_CombinedCertificateValidationContextSchema, {
      defaultValidationContext: demands,
      validationContextSdsSecretConfig: bySds(name),
    }),
  };
}
