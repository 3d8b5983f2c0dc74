import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  Cluster_LbPolicy,
  Cluster_RingHashLbConfig_HashFunction,
  Cluster_SlowStartConfigSchema,
  type ClusterSchema,
} from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { LoadBalancer, Warmup } from '../../mesh/model/load-balancer.ts';
import { duration } from '../wire/duration.ts';

type ClusterInit = MessageInitShape<typeof ClusterSchema>;

const ALGORITHMS = Object.freeze({
  LEAST_REQUEST: Cluster_LbPolicy.LEAST_REQUEST,
  ROUND_ROBIN: Cluster_LbPolicy.ROUND_ROBIN,
  RANDOM: Cluster_LbPolicy.RANDOM,
  // "Where the caller was going", which only a capturing sidecar knows: others spread.
  PASSTHROUGH: Cluster_LbPolicy.LEAST_REQUEST,
});

/** Envoy demands a name for what may be changed at run time; nobody changes it. */
const AGGRESSION_KEY = 'upstream.slow_start.aggression';

function slowStart({ durationMs, aggression, minimumPercent }: Warmup) {
  return create(Cluster_SlowStartConfigSchema, {
    slowStartWindow: duration(durationMs),
    ...(aggression === undefined ? {} : { aggression: { defaultValue: aggression, runtimeKey: AGGRESSION_KEY } }),
    ...(minimumPercent === undefined ? {} : { minWeightPercent: { value: minimumPercent } }),
  });
}

function hashed({ table, size }: NonNullable<LoadBalancer['hash']>): Pick<ClusterInit, 'lbPolicy' | 'lbConfig'> {
  if (table === 'maglev') {
    const value = size === undefined ? {} : { tableSize: BigInt(size) };
    return { lbPolicy: Cluster_LbPolicy.MAGLEV, lbConfig: { case: 'maglevLbConfig', value } };
  }
  const value = {
    hashFunction: Cluster_RingHashLbConfig_HashFunction.XX_HASH,
    ...(size === undefined ? {} : { minimumRingSize: BigInt(size) }),
  };
  return { lbPolicy: Cluster_LbPolicy.RING_HASH, lbConfig: { case: 'ringHashLbConfig', value } };
}

/** How requests are spread over the endpoints of a cluster. Warm-up is for the algorithms by which Envoy can weigh: it is left out of the others. */
export function loadBalancing(wanted: LoadBalancer | undefined): Pick<ClusterInit, 'lbPolicy' | 'lbConfig'> {
  if (wanted?.hash !== undefined) return hashed(wanted.hash);
  const algorithm = wanted?.algorithm ?? 'LEAST_REQUEST';
  const lbPolicy = ALGORITHMS[algorithm];
  if (wanted?.warmup === undefined) return { lbPolicy };
  const slowStartConfig = slowStart(wanted.warmup);
  switch (algorithm) {
    case 'LEAST_REQUEST':
      return { lbPolicy, lbConfig: { case: 'leastRequestLbConfig', value: { slowStartConfig } } };
    case 'ROUND_ROBIN':
      return { lbPolicy, lbConfig: { case: 'roundRobinLbConfig', value: { slowStartConfig } } };
    case 'RANDOM':
    case 'PASSTHROUGH':
      return { lbPolicy };
    default:
      return algorithm satisfies never;
  }
}
