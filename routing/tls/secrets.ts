import { create } from '@bufbuild/protobuf';
import { type SdsSecretConfig, SdsSecretConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { sdsSource } from '../wire/config-source.ts';

/** The workload's certificate and key, and the roots it trusts, by the names that the agent serves. */
export const OWN_CERTIFICATE = 'default';
export const ROOTS = 'ROOTCA';

export function sdsSecret(name: string): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name, sdsConfig: sdsSource() });
}
