import { create } from '@bufbuild/protobuf';
import { type Cluster, Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { Families, Family } from '../../mesh/model/families.ts';
import { BLACK_HOLE, INBOUND_PASSTHROUGH, PASSTHROUGH } from '../names.ts';
import { duration } from '../wire/duration.ts';
import { circuitBreakers } from './connection-pool.ts';
import { httpProtocolOptions } from './protocol-options.ts';

export const CONNECT_TIMEOUT_MS = 10_000;
/** From here the proxy calls its own application: iptables lets these sources through (Istio's rules and addresses). */
const INBOUND_SOURCE = { IPv4: '127.0.0.6', IPv6: '::6' } as const;

/** Takes connections and has nowhere to send them. */
export function blackHole(): Cluster {
  return create(ClusterSchema, {
    name: BLACK_HOLE,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
  });
}

const source = (family: Family) => ({
  address: INBOUND_SOURCE[family],
  portSpecifier: { case: 'portValue' as const, value: 0 },
});

function originalDestination(name: string, from: Families | undefined): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    circuitBreakers: circuitBreakers(undefined),
    typedExtensionProtocolOptions: httpProtocolOptions('unknown'),
    ...(from === undefined
      ? {}
      : {
          upstreamBindConfig: {
            sourceAddress: source(from === 'both' ? 'IPv4' : from),
            ...(from === 'both' ? { extraSourceAddresses: [{ address: source('IPv6') }] } : {}),
          },
        }),
  });
}

/** To wherever iptables took the connection from. Only for captured traffic: anywhere else it would call itself. */
export function passthrough(): Cluster {
  return originalDestination(PASSTHROUGH, undefined);
}

/** To the pod's own port that no Service names. */
export function inboundPassthrough(families: Families): Cluster {
  return originalDestination(INBOUND_PASSTHROUGH, families);
}
