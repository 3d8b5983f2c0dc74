import { clone } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { type TransportSocket, TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { create } from '@bufbuild/protobuf';
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import {
  type CommonTlsContext,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { agentsRoots } from '../tls/secrets.ts';
import type { StaticSecrets } from './options.ts';

const file = (path: string) => ({ specifier: { case: 'filename' as const, value: path } });

/** Without a control plane the agent answers for the roots as well. */
function readAgent(context: CommonTlsContext): void {
  const validation = context.validationContextType;
  if (validation.case === 'combinedValidationContext') validation.value.validationContextSdsSecretConfig = agentsRoots();
}

/** References to secrets become references to files. */
function readFiles(context: CommonTlsContext, files: Extract<StaticSecrets, { kind: 'files' }>): void {
  if (context.tlsCertificateSdsSecretConfigs.length > 0) {
    context.tlsCertificateSdsSecretConfigs = [];
    context.tlsCertificates = [
      create(TlsCertificateSchema, { certificateChain: file(files.certificate), privateKey: file(files.key) }),
    ];
  }
  const validation = context.validationContextType;
  if (validation.case !== 'combinedValidationContext') return;
  const names = validation.value.defaultValidationContext?.matchTypedSubjectAltNames ?? [];
  context.validationContextType = {
    case: 'validationContext',
    value: create(CertificateValidationContextSchema, { trustedCa: file(files.roots), matchTypedSubjectAltNames: names }),
  };
}

/** The same transport socket with its secrets from where `secrets` says. */
export function withSecrets(socket: TransportSocket, secrets: StaticSecrets): TransportSocket {
  if (socket.configType.case !== 'typedConfig') return socket;
  const any = socket.configType.value;
  for (const schema of [DownstreamTlsContextSchema, UpstreamTlsContextSchema]) {
    const context = anyUnpack(any, schema);
    if (context?.commonTlsContext === undefined) continue;
    if (secrets.kind === 'sds') readAgent(context.commonTlsContext);
    else readFiles(context.commonTlsContext, secrets);
    const copy = clone(TransportSocketSchema, socket);
    copy.configType = { case: 'typedConfig', value: anyPack(schema, context) };
    return copy;
  }
  return socket;
}
