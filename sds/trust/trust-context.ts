import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { DataSource } from '#gen/envoy/config/core/v3/base_pb.js';
import type { CertificateValidationContext } from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { SPIFFECertValidatorConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js';
import type { DiscoveryResponse } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { parseTrustDomain, type TrustDomain } from '../../ca/identity/trust-domain.ts';
import { TRUST_ROOTS } from '../secret/secret.ts';

/** What the control plane says is to be trusted. */
export interface TrustContext {
  /** Roots of the own trust domain, PEM. */
  readonly own: string | undefined;
  /** Roots of the others, PEM. */
  readonly foreign: ReadonlyMap<TrustDomain, string>;
  /** Text with the revocation lists of the own trust domain; other PEM may stand beside them. */
  readonly crl: string | undefined;
}

/** Reads the secret ROOTCA in either form: one list of roots, or Envoy's SPIFFE validator with the roots of each trust domain. */
export function trustContext(response: DiscoveryResponse, own: TrustDomain): TrustContext {
  const context = contextOf(response);
  const domains = context === undefined ? undefined : domainsOf(context);
  const foreign = new Map(domains);
  foreign.delete(own);
  // The SPIFFE validator has no place for lists of their own: they stand among the roots.
  const roots = domains?.get(own);
  return { own: text(context?.trustedCa) ?? roots, foreign, crl: text(context?.crl) ?? roots };
}

function contextOf(response: DiscoveryResponse): CertificateValidationContext | undefined {
  for (const any of response.resources) {
    const secret = anyUnpack(any, SecretSchema);
    if (secret?.name === TRUST_ROOTS && secret.type.case === 'validationContext') return secret.type.value;
  }
  return undefined;
}

function domainsOf({ customValidatorConfig }: CertificateValidationContext): ReadonlyMap<TrustDomain, string> | undefined {
  const config =
    customValidatorConfig?.typedConfig && anyUnpack(customValidatorConfig.typedConfig, SPIFFECertValidatorConfigSchema);
  if (config === undefined) return undefined;
  return new Map(
    config.trustDomains.flatMap(({ name, trustBundle }) => {
      const [domain, roots] = [parseTrustDomain(name), text(trustBundle)];
      return domain.ok && roots !== undefined ? [[domain.value, roots] as const] : [];
    }),
  );
}

function text(source: DataSource | undefined): string | undefined {
  const specifier = source?.specifier;
  if (specifier?.case === 'inlineBytes') return Buffer.from(specifier.value).toString();
  return specifier?.case === 'inlineString' ? specifier.value : undefined;
}
