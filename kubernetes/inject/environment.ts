import { applicationContainers, type Context, interceptionMode, networkOf } from './context.ts';
import { type Json, type JsonObject, listAt } from './json.ts';
import { proxyConfigText, proxyMetadata } from './proxy-config.ts';

function field(name: string, fieldPath: string): JsonObject {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

/**
 * The variables of the proxy's container. They have Istio's names and meanings, so that whoever reads them (custom images, scripts, wrappers,
 * Istio's own agent) goes on working.
 */
export function proxyEnvironment(context: Context): readonly JsonObject[] {
  const { settings, owner, namespace, labels, annotations, proxyConfig, environment } = context;
  const network = networkOf(context);
  const trustDomain = settings.trustDomain;
  const workload = labels['service.istio.io/workload-name'] ?? owner.name;
  const fixed: readonly JsonObject[] = [
    ...(settings.probesToLocalhost ? [{ name: 'REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION', value: 'true' }] : []),
    { name: 'PILOT_CERT_PROVIDER', value: 'istiod' },
    { name: 'CA_ADDR', value: settings.controlPlane.address },
    field('POD_NAME', 'metadata.name'),
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('INSTANCE_IP', 'status.podIP'),
    field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    field('HOST_IP', 'status.hostIP'),
    { name: 'ISTIO_CPU_LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1' } } },
    { name: 'PROXY_CONFIG', value: `${proxyConfigText(proxyConfig)}\n` },
    { name: 'ISTIO_META_POD_PORTS', value: JSON.stringify(podPorts(context)) },
    {
      name: 'ISTIO_META_APP_CONTAINERS',
      value: applicationContainers(context)
        .map(({ name }) => name)
        .join(','),
    },
    { name: 'ISTIO_META_CLUSTER_ID', value: environment['ISTIO_META_CLUSTER_ID'] ?? settings.clusterId },
    field('ISTIO_META_NODE_NAME', 'spec.nodeName'),
    { name: 'ISTIO_META_INTERCEPTION_MODE', value: interceptionMode(context) },
    ...(workload === '' ? [] : [{ name: 'ISTIO_META_WORKLOAD_NAME', value: workload }]),
    ...(owner.name === '' ? [] : [{ name: 'ISTIO_META_OWNER', value: ownerPath(owner, namespace) }]),
    ...(annotations['sidecar.istio.io/bootstrapOverride'] === undefined
      ? []
      : [{ name: 'ISTIO_BOOTSTRAP_OVERRIDE', value: '/etc/istio/custom-bootstrap/custom_bootstrap.json' }]),
    { name: 'ISTIO_META_MESH_ID', value: settings.meshId ?? trustDomain },
    { name: 'TRUST_DOMAIN', value: trustDomain },
  ];
  const names = new Set(fixed.map(({ name }) => name));
  const rest = Object.entries({
    ...proxyMetadata(proxyConfig),
    ...environment,
    ...(network === undefined ? {} : { ISTIO_META_NETWORK: network }),
  }).filter(([name]) => !names.has(name));
  return [...fixed, ...rest.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value }))];
}

function ownerPath({ apiVersion, kind, name }: Context['owner'], namespace: string): string {
  return `kubernetes://apis/${apiVersion}/namespaces/${namespace}/${kind.toLowerCase()}s/${name}`;
}

function podPorts(context: Context): readonly Json[] {
  return applicationContainers(context).flatMap((container) => listAt(container, 'ports'));
}
