import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { type Secret, SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { SPIFFECertValidatorConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js';
import type { Svid } from '../identity/accept.ts';
import type { TrustBundle } from '../identity/bundle.ts';

export const SECRET_TYPE = `type.googleapis.com/${SecretSchema.typeName}`;

/** The names that Istio's proxies ask for: the workload's own certificate, and the roots to check peers against. */
export const WORKLOAD_CERTIFICATE = 'default';
export const TRUST_ROOTS = 'ROOTCA';

/** A Secret, encoded once, with the version that Envoy is told. */
export interface EncodedSecret {
  readonly name: string;
  readonly version: string;
  readonly any: Any;
}

/** Versions are hashes of public parts only, so that they may be logged. */
function version(publicPart: string): string {
  return createHash('sha256').update(publicPart).digest('hex').slice(0, 16);
}

function encode(secret: Secret, publicPart: string): EncodedSecret {
  return { name: secret.name, version: version(publicPart), any: anyPack(SecretSchema, secret) };
}

const inline = (text: string) => ({ specifier: { case: 'inlineBytes' as const, value: Buffer.from(text) } });

/** The workload's certificate chain and key. Every certificate has a key of its own, so the chain names both. */
export function certificateSecret(svid: Svid, name = WORKLOAD_CERTIFICATE): EncodedSecret {
  return keyPairSecret(name, svid.chainPem, svid.key.export({ type: 'pkcs8', format: 'pem' }).toString());
}

/** Any certificate chain and the key of its leaf, PEM. */
export function keyPairSecret(name: string, chainPem: string, keyPem: string): EncodedSecret {
  const value = create(TlsCertificateSchema, { certificateChain: inline(chainPem), privateKey: inline(keyPem) });
  return encode(create(SecretSchema, { name, type: { case: 'tlsCertificate', value } }), chainPem);
}

/** The roots. Which peers are meant is the business of the TLS context that refers to this, not of the roots. */
export function rootsSecret(bundle: TrustBundle): EncodedSecret {
  return authoritiesSecret(TRUST_ROOTS, bundle.pem);
}

/** Authorities that peers' certificates must lead to, PEM, and what they revoked. */
export function authoritiesSecret(name: string, pem: string, crlPem?: string): EncodedSecret {
  const crl = crlPem === undefined ? {} : { crl: inline(crlPem) };
  const value = create(CertificateValidationContextSchema, { trustedCa: inline(pem), ...crl });
  return encode(create(SecretSchema, { name, type: { case: 'validationContext', value } }), pem + (crlPem ?? ''));
}

const SPIFFE_VALIDATOR = 'envoy.tls.cert_validator.spiffe';

/**
 * The roots of several trust domains. Envoy's SPIFFE validator checks each peer by the roots of the trust domain that it
 * claims, so that no domain's authority can speak for another's workloads, as it could in one list of roots.
 */
export function federationSecret(name: string, bundles: ReadonlyMap<string, TrustBundle>): EncodedSecret {
  const domains = [...bundles].map(([domain, { pem }]) => ({ name: domain, pem }));
  const config = create(SPIFFECertValidatorConfigSchema, {
    trustDomains: domains.map(({ name: domain, pem }) => ({ name: domain, trustBundle: inline(pem) })),
  });
  const value = create(CertificateValidationContextSchema, {
    customValidatorConfig: { name: SPIFFE_VALIDATOR, typedConfig: anyPack(SPIFFECertValidatorConfigSchema, config) },
  });
  return encode(create(SecretSchema, { name, type: { case: 'validationContext', value } }), JSON.stringify(domains));
}
