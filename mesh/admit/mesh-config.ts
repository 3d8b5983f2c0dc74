import { parseMeshTrustDomain, type TrustDomain } from '../../ca/identity/trust-domain.ts';
import { parseHostname } from '../model/hostname.ts';
import type { MeshConfig, PathNormalization, TlsParameters } from '../model/mesh-config.ts';
import { localityBalancing } from './destination-rule/locality.ts';
import { extensionProviders } from './extension-providers.ts';
import { type Field, fieldsOf, itemsOf } from './field.ts';
import { gatewayTopology } from './gateway-topology.ts';
import { forwardsHost } from './proxy-headers.ts';
import { CIPHER_SUITES, CURVES, knownOf } from './gateway/tls-parameters.ts';
import { isNamespaceName } from './hosts.ts';
import { DEFAULTS, meshDefaults } from './mesh-defaults.ts';
import { textAt } from './node-path.ts';
import { shorten } from './node.ts';
import { flag, oneOf, optionalText, requiredText } from './scalar.ts';
import { meshTelemetry, TELEMETRY_FIELDS } from './telemetry/mesh.ts';

/** Istio's fields that have no effect here yet: known, so that a file written for Istio is taken. */
const NOT_APPLIED = [
  'ca',
  'caCertificates',
  'certificates',
  'configSources',
  'disableEnvoyListenerLog',
  'discoverySelectors',
  'dnsRefreshRate',
  'enableEnvoyAccessLogService',
  'enablePrometheusMerge',
  'hboneIdleTimeout',
  'inboundClusterStatName',
  'inboundTrafficPolicy',
  'ingressClass',
  'ingressControllerMode',
  'ingressSelector',
  'ingressService',
  'outboundClusterStatName',
  'protocolDetectionTimeout',
  'proxyHttpPort',
  'proxyInboundListenPort',
  'proxyListenPort',
  'serviceScopeConfigs',
  'serviceSettings',
  'statNameLength',
  'thriftConfig',
  'verifyCertificateAtClient',
] as const;

const APPLIED = [
  'trustDomain',
  'trustDomainAliases',
  'rootNamespace',
  'clusterDomain',
  'pathNormalization',
  'outboundTrafficPolicy',
  'enableAutoMtls',
  'defaultConfig',
  'extensionProviders',
  'localityLbSetting',
  'tlsDefaults',
  'meshMTLS',
] as const;

function must<T>(parsed: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }): T {
  if (parsed.ok) return parsed.value;
  throw new Error(parsed.reason);
}

/** Istio's defaults. */
export const DEFAULT_MESH_CONFIG: MeshConfig = Object.freeze({
  trustDomain: must(parseMeshTrustDomain('cluster.local')),
  trustDomainAliases: Object.freeze([]),
  rootNamespace: 'istio-system',
  clusterDomain: 'cluster.local',
  pathNormalization: 'BASE',
  outboundTrafficPolicy: 'ALLOW_ANY',
  enableAutoMtls: true,
});

/** Reads Istio's MeshConfig. What is wrong goes to the field's report; the result is then not to be used. `clusterDomain` is ours: Istio has it on the command line. */
export function readMeshConfig(root: Field): MeshConfig {
  const fields = fieldsOf(root, [...APPLIED, ...DEFAULTS, ...TELEMETRY_FIELDS, ...NOT_APPLIED]);
  for (const name of NOT_APPLIED) {
    if (fields[name].given)
      fields[name].warning('not-yet-applied', 'is not applied yet', 'the rest of the mesh configuration is in effect');
  }
  const rootNamespace = optionalText(fields.rootNamespace) ?? DEFAULT_MESH_CONFIG.rootNamespace;
  if (!isNamespaceName(rootNamespace)) fields.rootNamespace.error('bad-namespace', `"${shorten(rootNamespace)}" is no namespace`);
  const clusterDomain = optionalText(fields.clusterDomain) ?? DEFAULT_MESH_CONFIG.clusterDomain;
  if (parseHostname(clusterDomain) === undefined || clusterDomain.includes('*'))
    fields.clusterDomain.error('bad-host', `"${shorten(clusterDomain)}" is no domain`);
  const localityLb = localityBalancing(fields.localityLbSetting);
  const defaults = meshDefaults(fields);
  const telemetry = meshTelemetry(fields);
  const topology = gatewayTopology(fields.defaultConfig, 'mesh');
  const outbound = fieldsOf(fields.outboundTrafficPolicy, ['mode', 'egressProxy']);
  if (outbound.egressProxy.given)
    outbound.egressProxy.error('not-supported', 'is not supported yet', 'remove it; traffic would leave past the egress proxy');
  return {
    trustDomain: trustDomain(fields.trustDomain) ?? DEFAULT_MESH_CONFIG.trustDomain,
    trustDomainAliases: itemsOf(fields.trustDomainAliases).flatMap((item) => {
      const alias = trustDomain(item);
      return alias === undefined ? [] : [alias];
    }),
    rootNamespace,
    clusterDomain,
    pathNormalization: normalization(fields.pathNormalization),
    outboundTrafficPolicy:
      oneOf(outbound.mode, ['ALLOW_ANY', 'REGISTRY_ONLY', 'ALLOW_ANY_DYNAMIC_DNS']) ??
      (outbound.mode.given ? 'REGISTRY_ONLY' : DEFAULT_MESH_CONFIG.outboundTrafficPolicy),
    enableAutoMtls: flag(fields.enableAutoMtls) ?? DEFAULT_MESH_CONFIG.enableAutoMtls,
    ...(topology.numTrustedProxies === undefined ? {} : { numTrustedProxies: topology.numTrustedProxies }),
    ...(topology.proxyProtocol ? { gatewayProxyProtocol: true } : {}),
    ...(forwardsHost(fields.defaultConfig) ? { forwardedHost: true as const } : {}),
    ...(textAt(fields.defaultConfig.node, 'proxyMetadata', 'ISTIO_META_DNS_AUTO_ALLOCATE') === 'true'
      ? { dnsAutoAllocate: true }
      : {}),
    ...(fields.extensionProviders.given ? { extensionProviders: extensionProviders(fields.extensionProviders) } : {}),
    ...(localityLb === undefined ? {} : { localityLb }),
    ...(defaults === undefined ? {} : { defaults }),
    ...(fields.tlsDefaults.given ? { tlsDefaults: tlsParameters(fields.tlsDefaults) } : {}),
    ...(fields.meshMTLS.given ? { meshMtls: tlsParameters(fields.meshMTLS) } : {}),
    ...(telemetry === undefined ? {} : { telemetry }),
  };
}

/** Istio's TLSConfig. Neither goes below TLS 1.2 by the mesh's configuration: a Gateway that must says so itself. */
function tlsParameters(field: Field): TlsParameters {
  const fields = fieldsOf(field, ['minProtocolVersion', 'cipherSuites', 'ecdhCurves']);
  const least = oneOf(fields.minProtocolVersion, ['TLS_AUTO', 'TLSV1_2', 'TLSV1_3']);
  return {
    ...(least === undefined || least === 'TLS_AUTO' ? {} : { minVersion: least }),
    cipherSuites: knownOf(fields.cipherSuites, CIPHER_SUITES, 'cipher suite'),
    ecdhCurves: knownOf(fields.ecdhCurves, CURVES, 'curve'),
  };
}

function normalization(field: Field): PathNormalization {
  const mode = oneOf(fieldsOf(field, ['normalization']).normalization, [
    'DEFAULT',
    'NONE',
    'BASE',
    'MERGE_SLASHES',
    'DECODE_AND_MERGE_SLASHES',
  ]);
  return mode === undefined || mode === 'DEFAULT' ? DEFAULT_MESH_CONFIG.pathNormalization : mode;
}

/** Istio wants the labels of a DNS name (RFC 1123); the last may be empty. SPIFFE alone would take more. */
function isLabel(label: string, at: number, all: readonly string[]): boolean {
  return /^[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?$/.test(label) || (label === '' && at > 0 && at === all.length - 1);
}

function trustDomain(field: Field): TrustDomain | undefined {
  if (!field.given) return undefined;
  const written = requiredText(field);
  if (written === '') return undefined;
  const read = parseMeshTrustDomain(written);
  if (read.ok && written.split('.').every(isLabel)) return read.value;
  if (read.ok) field.error('bad-trust-domain', `"${shorten(written)}" is no DNS name`, 'as example.org');
  else field.error('bad-trust-domain', `"${shorten(written)}": ${read.reason}`, 'as example.org');
  return undefined;
}
