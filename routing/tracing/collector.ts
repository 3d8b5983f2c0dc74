import { create } from '@bufbuild/protobuf';
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { authorizerOf } from '../../mesh/model/extension-provider.ts';
import { parseHostname } from '../../mesh/model/hostname.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Collector, MeshTelemetry, ZipkinProvider } from '../../mesh/model/telemetry.ts';
import { CONNECT_TIMEOUT_MS } from '../clusters/fixed.ts';
import { outboundCluster } from '../names.ts';
import { socketAddress } from '../wire/address.ts';
import { duration } from '../wire/duration.ts';

/** Istio's name for the collector of `defaultConfig.tracing.zipkin.address`. */
const ZIPKIN_CLUSTER = 'zipkin';

/** Where spans go: the cluster, and the host that is asked for. */
export interface Destination {
  readonly cluster: string;
  readonly host: string;
}

function serviceOf(snapshot: Snapshot, collector: Collector): Service | undefined {
  const found = authorizerOf(snapshot, collector);
  return typeof found === 'string' ? undefined : found.service;
}

/** Undefined when the mesh has no such Service: spans are then not made at all, as in Istio. */
export function destinationOf(snapshot: Snapshot, collector: Collector): Destination | undefined {
  const service = serviceOf(snapshot, collector);
  if (service === undefined) return undefined;
  return { cluster: outboundCluster(collector.port, undefined, service.hostname), host: service.hostname };
}

/** Services of the collectors that MeshConfig names: any proxy may have to send them spans. */
export function collectors(snapshot: Snapshot): readonly Service[] {
  const { extensionProviders = [] } = snapshot.meshConfig;
  const services = extensionProviders.flatMap((one) => {
    if (one.kind !== 'other' || one.telemetry === undefined || one.telemetry.kind === 'file-log') return [];
    return serviceOf(snapshot, one.telemetry) ?? [];
  });
  const address = legacyZipkin(snapshot.meshConfig);
  const own = address === undefined ? undefined : serviceOf(snapshot, address);
  return own === undefined ? services : [...services, own];
}

/** Short names of a Service, as `zipkin.istio-system`, are whole in the mesh. */
function wholeHost(mesh: MeshConfig, { host }: NonNullable<MeshTelemetry['zipkinAddress']>): string {
  return host.split('.').length === 2 ? (parseHostname(`${host}.svc.${mesh.clusterDomain}`) ?? host) : host;
}

/** The collector of a mesh that traces without naming a provider, where an address is given. */
export function legacyZipkin(mesh: MeshConfig): ZipkinProvider | undefined {
  const { telemetry } = mesh;
  const address = telemetry?.zipkinAddress;
  if (telemetry?.enableTracing !== true || address === undefined) return undefined;
  return {
    kind: 'zipkin',
    service: { namespace: undefined, host: wholeHost(mesh, address) },
    port: address.port,
    path: '/api/v2/spans',
    maxTagLength: undefined,
    use64BitTraceId: false,
    w3c: false,
    timeoutMs: undefined,
    headers: {},
  };
}

/** Where a collector is that is given by an address: a Service of the mesh, or any host. */
export function legacyDestination(snapshot: Snapshot): Destination | undefined {
  const provider = legacyZipkin(snapshot.meshConfig);
  const address = snapshot.meshConfig.telemetry?.zipkinAddress;
  if (provider === undefined || address === undefined) return undefined;
  return destinationOf(snapshot, provider) ?? { cluster: ZIPKIN_CLUSTER, host: address.host };
}

/** The cluster of a collector that is not in the mesh; most meshes have none. */
export function collectorClusters(snapshot: Snapshot): readonly Cluster[] {
  const address = snapshot.meshConfig.telemetry?.zipkinAddress;
  if (address === undefined || legacyDestination(snapshot)?.cluster !== ZIPKIN_CLUSTER) return [];
  const endpoint = { address: socketAddress(address.host, address.port) };
  return [
    create(ClusterSchema, {
      name: ZIPKIN_CLUSTER,
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STRICT_DNS },
      connectTimeout: duration(CONNECT_TIMEOUT_MS),
      respectDnsTtl: true,
      loadAssignment: {
        clusterName: ZIPKIN_CLUSTER,
        endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: endpoint } }] }],
      },
    }),
  ];
}
