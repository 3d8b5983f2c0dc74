import { create } from '@bufbuild/protobuf';
import { type SdsSecretConfig, SdsSecretConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { adsSource, sdsSource } from '../wire/config-source.ts';

/** The workload's certificate and key, and the roots it trusts, by the names under which they are served. */
export const OWN_CERTIFICATE = 'default';
export const ROOTS = 'ROOTCA';

/** From the agent, who alone has the key. */
export function ownCertificate(): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name: OWN_CERTIFICATE, sdsConfig: sdsSource() });
}

/** From the control plane, which so sees each proxy acknowledge what it trusts: docs/decisions/0005. */
export function trustedRoots(): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name: ROOTS, sdsConfig: adsSource() });
}

/** The same roots from the agent, for a proxy without a control plane. */
export function agentsRoots(): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name: ROOTS, sdsConfig: sdsSource() });
}
