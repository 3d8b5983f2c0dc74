import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { type Secret, SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
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
export function certificateSecret(svid: Svid): EncodedSecret {
  const value = create(TlsCertificateSchema, {
    certificateChain: inline(svid.chainPem),
    privateKey: inline(svid.key.export({ type: 'pkcs8', format: 'pem' }).toString()),
  });
  return encode(create(SecretSchema, { name: WORKLOAD_CERTIFICATE, type: { case: 'tlsCertificate', value } }), svid.chainPem);
}

/** The roots. Which peers are meant is the business of the TLS context that refers to this, not of the roots. */
export function rootsSecret(bundle: TrustBundle): EncodedSecret {
  const value = create(CertificateValidationContextSchema, { trustedCa: inline(bundle.pem) });
  return encode(create(SecretSchema, { name: TRUST_ROOTS, type: { case: 'validationContext', value } }), bundle.pem);
}
