import { clone } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
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
import { ProxyProtocolUpstreamTransportSchema } from '#gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js';
import { agentsRoots, OWN_CERTIFICATE, ROOTS } from '../tls/secrets.ts';
import type { StaticSecrets } from './options.ts';

const file = (path: string) => ({ specifier: { case: 'filename' as const, value: path } });

/** Without a control plane the agent answers for the roots of the mesh as well. */
function readAgent(context: CommonTlsContext): void {
  const validation = context.validationContextType;
  if (validation.case !== 'combinedValidationContext') return;
  if (validation.value.validationContextSdsSecretConfig?.name === ROOTS)
    validation.value.validationContextSdsSecretConfig = agentsRoots();
}

/** Where Debian, and most images made from it, keep the system's authorities. */
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';

type Files = Extract<StaticSecrets, { kind: 'files' }>;

/** The files of a certificate and its key; a Secret of Kubernetes has none, and stays with the agent. */
function keyPairFiles(name: string, files: Files): { readonly certificate: string; readonly key: string } | undefined {
  if (name === OWN_CERTIFICATE) return files;
  const [certificate, key] = name.startsWith('file-cert:') ? name.slice('file-cert:'.length).split('~') : [];
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

function trusted(name: string, files: Files) {
  if (name === ROOTS) return { trustedCa: file(files.roots) };
  if (!name.startsWith('file-root:')) return undefined;
  const [path = '', crl] = name.slice('file-root:'.length).split('~');
  const trustedCa = file(path === 'system' ? (files.systemRoots ?? SYSTEM_ROOTS) : path);
  return { trustedCa, ...(crl === undefined ? {} : { crl: file(crl) }) };
}

/** References to secrets become references to files. */
function readFiles(context: CommonTlsContext, files: Files): void {
  const shown = context.tlsCertificateSdsSecretConfigs.map((one) => ({ one, pair: keyPairFiles(one.name, files) }));
  // Envoy takes certificates from files or from an agent, not from both; a Secret among them leaves all to the agent.
  if (shown.length > 0 && shown.every(({ pair }) => pair !== undefined)) {
    context.tlsCertificateSdsSecretConfigs = [];
    context.tlsCertificates = shown.flatMap(({ pair }) =>
      pair === undefined
        ? []
        : [create(TlsCertificateSchema, { certificateChain: file(pair.certificate), privateKey: file(pair.key) })],
    );
  }
  const validation = context.validationContextType;
  if (validation.case !== 'combinedValidationContext') return;
  const roots = trusted(validation.value.validationContextSdsSecretConfig?.name ?? '', files);
  if (roots === undefined) return;
  const { matchTypedSubjectAltNames, verifyCertificateSpki, verifyCertificateHash } =
    validation.value.defaultValidationContext ?? create(CertificateValidationContextSchema);
  context.validationContextType = {
    case: 'validationContext',
    value: create(CertificateValidationContextSchema, {
      ...roots,
      matchTypedSubjectAltNames,
      verifyCertificateSpki,
      verifyCertificateHash,
    }),
  };
}

/** The same transport socket with its secrets from where `secrets` says; also the one that another carries. */
export function withSecrets(socket: TransportSocket, secrets: StaticSecrets): TransportSocket {
  if (socket.configType.case !== 'typedConfig') return socket;
  const any = socket.configType.value;
  const announcing = anyUnpack(any, ProxyProtocolUpstreamTransportSchema);
  if (announcing?.transportSocket !== undefined) {
    announcing.transportSocket = withSecrets(announcing.transportSocket, secrets);
    return configured(socket, anyPack(ProxyProtocolUpstreamTransportSchema, announcing));
  }
  for (const schema of [DownstreamTlsContextSchema, UpstreamTlsContextSchema]) {
    const context = anyUnpack(any, schema);
    if (context?.commonTlsContext === undefined) continue;
    if (secrets.kind === 'sds') readAgent(context.commonTlsContext);
    else readFiles(context.commonTlsContext, secrets);
    return configured(socket, anyPack(schema, context));
  }
  return socket;
}

function configured(socket: TransportSocket, value: Any): TransportSocket {
  const copy = clone(TransportSocketSchema, socket);
  copy.configType = { case: 'typedConfig', value };
  return copy;
}
