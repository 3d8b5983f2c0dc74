import { create } from '@bufbuild/protobuf';
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

/** Undefined: nobody is checked. */
export function authoritiesName(authorities: Authorities): string | undefined {
  switch (authorities.kind) {
    case 'system':
      return 'file-root:system';
    case 'file':
      return `file-root:${authorities.path}`;
    case 'secret':
      return `kubernetes://${authorities.name}-cacert`;
    case 'none':
      return undefined;
    default:
      return authorities satisfies never;
  }
}

export function bySds(name: string): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name, sdsConfig: namedSdsSource() });
}
