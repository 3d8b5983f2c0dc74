import { clone, create } from '@bufbuild/protobuf';
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { AddressSchema } from '#gen/envoy/config/core/v3/address_pb.js';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import {
  SubjectAltNameMatcher_SanType,
  SubjectAltNameMatcherSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { httpProtocolOptions } from '../clusters/protocol-options.ts';
import { mutualTlsClient } from '../tls/upstream.ts';
import { socketAddress } from '../wire/address.ts';
import { CONTROL_PLANE_CLUSTER, SDS_CLUSTER } from '../wire/config-source.ts';
import { duration } from '../wire/duration.ts';
import type { StaticOptions } from './options.ts';
import { withSecrets } from './tls.ts';

/** A cluster with its endpoints in it and its secrets as the options say. */
export function staticCluster(
  cluster: Cluster,
  endpoints: ReadonlyMap<string, ClusterLoadAssignment>,
  options: StaticOptions,
): Cluster {
  const copy = clone(ClusterSchema, cluster);
  if (copy.clusterDiscoveryType.value === Cluster_DiscoveryType.EDS) {
    const name = copy.edsClusterConfig?.serviceName ?? copy.name;
    delete copy.edsClusterConfig;
    copy.clusterDiscoveryType = { case: 'type', value: Cluster_DiscoveryType.STATIC };
    copy.loadAssignment = endpoints.get(name) ?? create(ClusterLoadAssignmentSchema, { clusterName: name });
  }
  if (copy.transportSocket !== undefined) copy.transportSocket = withSecrets(copy.transportSocket, options.secrets);
  for (const match of copy.transportSocketMatches) {
    if (match.transportSocket !== undefined) match.transportSocket = withSecrets(match.transportSocket, options.secrets);
  }
  return copy;
}

function grpcCluster(
  name: string,
  address: ReturnType<typeof socketAddress>,
  rest: Partial<Pick<Cluster, 'transportSocket'>>,
): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STRICT_DNS },
    connectTimeout: duration(2000),
    typedExtensionProtocolOptions: httpProtocolOptions('grpc'),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address } } }] }],
    },
    ...rest,
  });
}

/** What the bootstrap needs besides the proxy's own clusters: the agent, and the receiver of access logs. */
export function supportingClusters({ secrets, accessLog }: StaticOptions): Cluster[] {
  const made: Cluster[] = [];
  if (secrets.kind === 'sds') {
    const cluster = grpcCluster(
      SDS_CLUSTER,
      create(AddressSchema, { address: { case: 'pipe', value: { path: secrets.socket } } }),
      {},
    );
    cluster.clusterDiscoveryType = { case: 'type', value: Cluster_DiscoveryType.STATIC };
    made.push(cluster);
  }
  if (accessLog.kind === 'grpc') {
    const server = create(SubjectAltNameMatcherSchema, {
      sanType: SubjectAltNameMatcher_SanType.DNS,
      matcher: { matchPattern: { case: 'exact', value: accessLog.serverName } },
    });
    const socket = mutualTlsClient({ sni: accessLog.serverName, alpn: ['h2'], servers: [server] });
    made.push(
      grpcCluster(CONTROL_PLANE_CLUSTER, socketAddress(accessLog.address, accessLog.port), {
        transportSocket: withSecrets(socket, secrets),
      }),
    );
  }
  return made;
}
