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

/** Undefined: nobody is checked, or the certificates go along. */
function authoritiesName(authorities: Authorities): string | undefined {
  switch (authorities.kind) {
    case 'system':
      return 'file-root:system';
    case 'file':
      return `file-root:${authorities.path}`;
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
