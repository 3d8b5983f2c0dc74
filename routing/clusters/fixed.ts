import { create } from '@bufbuild/protobuf';
import { type Cluster, Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { BLACK_HOLE, INBOUND_PASSTHROUGH, PASSTHROUGH } from '../names.ts';
import { duration } from '../wire/duration.ts';
import { circuitBreakers } from './connection-pool.ts';
import { httpProtocolOptions } from './protocol-options.ts';

export const CONNECT_TIMEOUT_MS = 10_000;
/** From here the proxy calls its own application: iptables lets this source through (Istio's rule and address). */
export const INBOUND_SOURCE = '127.0.0.6';

/** Takes connections and has nowhere to send them. */
export function blackHole(): Cluster {
  return create(ClusterSchema, {
    name: BLACK_HOLE,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
  });
}

function originalDestination(name: string, source: string | undefined): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    circuitBreakers: circuitBreakers(undefined),
    typedExtensionProtocolOptions: httpProtocolOptions('unknown'),
    ...(source === undefined
      ? {}
      : { upstreamBindConfig: { sourceAddress: { address: source, portSpecifier: { case: 'portValue', value: 0 } } } }),
  });
}

/** To wherever iptables took the connection from. Only for captured traffic: anywhere else it would call itself. */
export function passthrough(): Cluster {
  return originalDestination(PASSTHROUGH, undefined);
}

/** To the pod's own port that no Service names. */
export function inboundPassthrough(): Cluster {
  return originalDestination(INBOUND_PASSTHROUGH, INBOUND_SOURCE);
}
