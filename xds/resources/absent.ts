import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { blackHole } from '../../routing/clusters/fixed.ts';
import { type EncodedResource, encodeResource } from '../resource-set.ts';

/**
 * A cluster of that name with nowhere to send to, for a proxy that asked for one that there is none of: Envoy asks for a name once, and calls that
 * come later would each wait in vain. They are answered with 503 at once, and connections are closed.
 */
export function absentCluster(name: string): EncodedResource {
  return encodeResource(ClusterSchema, Object.assign(blackHole(), { name }));
}
