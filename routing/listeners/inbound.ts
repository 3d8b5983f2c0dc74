import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '#gen/envoy/config/core/v3/base_pb.js';
import type { Cluster } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { FilterChainSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { familiesOf } from '../../mesh/model/families.ts';
import { parsePort, type Port } from '../../mesh/model/port.ts';
import { refusedConnectionLog } from '../access-log/grpc.ts';
import { inboundPassthrough } from '../clusters/fixed.ts';
import { toApplication } from '../clusters/inbound.ts';
import { BLACK_HOLE, INBOUND_CAPTURE_PORT, INBOUND_PASSTHROUGH, inboundCluster, VIRTUAL_INBOUND } from '../names.ts';
import type { Scope } from '../scope.ts';
import { socketAddress } from '../wire/address.ts';
import { listensEverywhere } from '../wire/everywhere.ts';
import { duration } from '../wire/duration.ts';
import { inboundChains, type InboundTarget } from './inbound-chains.ts';
import { inboundPool } from './inbound-pool.ts';
import { type InboundPort, otherPortsWithMode, portsTaken } from './inbound-ports.ts';
import { httpInspector, INSPECTION_MS, originalDestinationFilter, tlsInspector } from './inspectors.ts';
import { tcpProxy } from './tcp.ts';

export interface Inbound {
  readonly listeners: readonly Listener[];
  readonly clusters: readonly Cluster[];
}

function targetOf(scope: Scope, { port, protocol }: InboundPort, captured: boolean): InboundTarget {
  const pool = inboundPool(scope, port);
  return {
    name: `inbound_${port}`,
    matchPort: captured ? port : undefined,
    protocol,
    mode: scope.security.mtlsMode(port),
    cluster: inboundCluster(port),
    tcp: { idleTimeoutMs: pool?.tcpIdleTimeoutMs, maxConnectionDurationMs: pool?.maxConnectionDurationMs },
  };
}

/** Plain text waits for bytes only where some chain asks what they are. */
function listenerFilters(targets: readonly InboundTarget[]) {
  return [
    tlsInspector(),
    ...(targets.some(({ protocol, mode }) => protocol === 'unknown' && mode !== 'STRICT') ? [httpInspector()] : []),
  ];
}

/** A server that speaks first cannot be waited for; HTTP clients always speak first. */
function inspection(targets: readonly InboundTarget[]) {
  const serverMaySpeakFirst = targets.some(({ protocol }) => protocol !== 'http' && protocol !== 'http2' && protocol !== 'grpc');
  return serverMaySpeakFirst
    ? { listenerFiltersTimeout: duration(INSPECTION_MS), continueOnListenerFiltersTimeout: true }
    : { listenerFiltersTimeout: duration(INSPECTION_MS * 5) };
}

/** No capture: the proxy has the instance's address to itself, and one listener for each port. */
function ownListeners(scope: Scope, ports: readonly InboundPort[]): Listener[] {
  return ports.map((one) => {
    const target = targetOf(scope, one, false);
    return create(ListenerSchema, {
      name: target.name,
      address: socketAddress(scope.proxy.instance.address, one.port),
      trafficDirection: TrafficDirection.INBOUND,
      listenerFilters: listenerFilters([target]),
      ...inspection([target]),
      filterChains: inboundChains(scope, target),
      accessLog: [refusedConnectionLog('inbound')],
    });
  });
}

/** A connection that was not captured but made to the capturing port itself: passing it on would call the proxy again. */
function loopGuard(port: Port | number) {
  return create(FilterChainSchema, {
    name: 'loop',
    filterChainMatch: { destinationPort: port },
    filters: [tcpProxy('inbound', BLACK_HOLE, BLACK_HOLE)],
  });
}

/** Everything that iptables redirects: known ports by their chains, the others passed through under the workload's mode and policies. */
function capturingListener(scope: Scope, ports: readonly InboundPort[]): Listener {
  const { snapshot, proxy, security } = scope;
  const passthrough = (name: string, matchPort: Port | undefined, mode: InboundTarget['mode']): InboundTarget => ({
    name,
    matchPort,
    protocol: 'unknown',
    mode,
    cluster: INBOUND_PASSTHROUGH,
  });
  const capturePort = parsePort(INBOUND_CAPTURE_PORT);
  const targets = [
    ...ports.map((port) => targetOf(scope, port, true)),
    ...otherPortsWithMode(snapshot, proxy.workload, ports).map((port) =>
      passthrough(`inbound_passthrough_${port}`, port, security.mtlsMode(port)),
    ),
    // No application can have the capturing port, so its mode is that of every port without one of its own.
    ...(capturePort === undefined ? [] : [passthrough('inbound_passthrough', undefined, security.mtlsMode(capturePort))]),
  ];
  return create(ListenerSchema, {
    name: VIRTUAL_INBOUND,
    ...listensEverywhere(familiesOf(proxy.instance), INBOUND_CAPTURE_PORT),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [originalDestinationFilter(), ...listenerFilters(targets)],
    ...inspection(targets),
    filterChains: [loopGuard(INBOUND_CAPTURE_PORT), ...targets.flatMap((target) => inboundChains(scope, target))],
    accessLog: [refusedConnectionLog('inbound')],
  });
}

/** How a sidecar takes traffic for its own workload. */
export function inbound(scope: Scope): Inbound {
  const ports = portsTaken(scope);
  const applications = ports.map((port) => toApplication(scope, port));
  switch (scope.proxy.instance.capture.kind) {
    case 'explicit':
      return { listeners: ownListeners(scope, ports), clusters: applications };
    case 'redirect':
      return {
        listeners: [capturingListener(scope, ports)],
        clusters: [...applications, inboundPassthrough(familiesOf(scope.proxy.instance))],
      };
    default:
      return scope.proxy.instance.capture satisfies never;
  }
}
