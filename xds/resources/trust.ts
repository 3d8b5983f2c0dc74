import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { CertificateValidationContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { SPIFFECertValidatorConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js';
import type { Federation, TrustBundle } from '../../ca/bundle.ts';
import { listsCover } from '../../ca/revocation/cover.ts';
import { ROOTS } from '../../routing/tls/secrets.ts';
import { type EncodedResource, encodeResource } from '../resource-set.ts';

type Context = MessageInitShape<typeof CertificateValidationContextSchema>;

const inline = (text: string) => ({ specifier: { case: 'inlineBytes' as const, value: new TextEncoder().encode(text) } });

function oneDomain({ rootsPem, crlPem }: TrustBundle): Context {
  return {
    trustedCa: inline(rootsPem),
    // Lists of the authorities that issue to workloads. Those above them issue to nobody else, and have none.
    ...(crlPem !== undefined && { crl: inline(crlPem), onlyVerifyLeafCertCrl: true }),
  };
}

/**
 * Envoy's SPIFFE validator picks the roots by the trust domain that a peer claims. It takes revocation lists among the roots, and then
 * demands one of each authority of a chain: where one has none they are left out, and policy alone refuses who is revoked.
 */
function severalDomains({ rootsPem, intermediatesPem = '', crlPem = '' }: TrustBundle, { own, foreign }: Federation): Context {
  const ownPem = listsCover(rootsPem + intermediatesPem, crlPem) ? rootsPem + crlPem : rootsPem;
  const trustDomains = [...own.map((trustDomain) => ({ trustDomain, rootsPem: ownPem })), ...foreign].map((domain) => ({
    name: domain.trustDomain,
    trustBundle: inline(domain.rootsPem),
  }));
  const config = create(SPIFFECertValidatorConfigSchema, { trustDomains });
  return {
    customValidatorConfig: {
      name: 'envoy.tls.cert_validator.spiffe',
      typedConfig: anyPack(SPIFFECertValidatorConfigSchema, config),
    },
  };
}

const composed = new WeakMap<TrustBundle, EncodedResource>();

/** A trust bundle as the secret that all proxies share. Bundles with the same roots and lists have the same version. */
export function trustResource(bundle: TrustBundle): EncodedResource {
  const known = composed.get(bundle);
  if (known !== undefined) return known;
  const { federation } = bundle;
  const value = federation === undefined ? oneDomain(bundle) : severalDomains(bundle, federation);
  const secret = create(SecretSchema, { name: ROOTS, type: { case: 'validationContext', value } });
  const resource = encodeResource(SecretSchema, secret);
  composed.set(bundle, resource);
  return resource;
}
