import { create } from '@bufbuild/protobuf';
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { inboundPool } from '../listeners/inbound-pool.ts';
import type { InboundPort } from '../listeners/inbound-ports.ts';
import { familiesOf, familyOf } from '../../mesh/model/families.ts';
import type { Port } from '../../mesh/model/port.ts';
import { inboundCluster } from '../names.ts';
import type { Scope } from '../scope.ts';
import { endpointAddress, socketAddress } from '../wire/address.ts';
import { duration } from '../wire/duration.ts';
import { circuitBreakers, tcpKeepalive } from './connection-pool.ts';
import { CONNECT_TIMEOUT_MS } from './fixed.ts';
import { httpProtocolOptions } from './protocol-options.ts';

/** Where the application of a captured pod is called: it listens on all addresses or on the loopback, of either family. */
const LOOPBACK = { IPv4: ['127.0.0.1'], IPv6: ['::1'], both: ['127.0.0.1', '::1'] } as const;

function applicationAddresses({ proxy: { instance } }: Scope): readonly [string, ...(readonly string[])] {
  return instance.capture.kind === 'explicit' ? [instance.capture.appAddress] : LOOPBACK[familiesOf(instance)];
}

/** Of a pod with both families, the one whose family is asked for. */
function ownAddress({ proxy: { instance } }: Scope, like: string): string {
  const { address, otherAddress } = instance;
  return otherAddress !== undefined && familyOf(otherAddress) === familyOf(like) ? otherAddress : address;
}

/** A Sidecar may say where; every address of it stands for the application's own, which is where it is without capture. */
function applicationSocket(scope: Scope, port: Port, endpoint: InboundPort['endpoint']) {
  if (endpoint?.address.startsWith('unix://') === true) return { address: endpointAddress(endpoint.address, endpoint.port) };
  if (endpoint === undefined || scope.proxy.instance.capture.kind === 'explicit') {
    const [first, ...others] = applicationAddresses(scope);
    const at = (address: string) => ({ address: socketAddress(address, endpoint?.port ?? port) });
    // Envoy tries them in turn.
    return others.length === 0 ? at(first) : { ...at(first), additionalAddresses: others.map(at) };
  }
  const everywhere = endpoint.address === '0.0.0.0' || endpoint.address === '::';
  return { address: socketAddress(everywhere ? ownAddress(scope, endpoint.address) : endpoint.address, endpoint.port) };
}

/** From the proxy to its own application's port. */
export function toApplication(scope: Scope, { port, protocol, endpoint }: InboundPort): Cluster {
  const pool = inboundPool(scope, port);
  const { defaults } = scope.snapshot.meshConfig;
  const keepalive = pool?.tcpKeepalive ?? defaults?.tcpKeepalive;
  const name = inboundCluster(port);
  const value = applicationSocket(scope, port, endpoint);
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(pool?.connectTimeoutMs ?? defaults?.connectTimeoutMs ?? CONNECT_TIMEOUT_MS),
    circuitBreakers: circuitBreakers(pool),
    typedExtensionProtocolOptions: httpProtocolOptions(protocol, pool),
    ...(keepalive === undefined ? {} : { upstreamConnectionOptions: tcpKeepalive(keepalive) }),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value } }] }],
    },
  });
}
