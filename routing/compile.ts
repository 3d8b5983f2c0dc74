import type { Cluster } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { ClusterLoadAssignment } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import type { Proxy } from '../mesh/model/proxy.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import { blackHole, passthrough } from './clusters/fixed.ts';
import { outboundClusters } from './clusters/outbound.ts';
import { anyDynamic, passesByName } from './dynamic-dns/cache.ts';
import { autoPassthroughClusters } from './gateway/auto-passthrough.ts';
import { gatewayListeners } from './listeners/gateway.ts';
import { explicitOutbound } from './listeners/http-proxy.ts';
import { type Inbound, inbound } from './listeners/inbound.ts';
import { capturedOutbound, type Outbound } from './listeners/outbound.ts';
import { type Scope, scopeOf } from './scope.ts';
import { withTelemetry } from './telemetry/listeners.ts';
import { collectorClusters } from './tracing/collector.ts';
import type { InboundSecurity } from './security.ts';

/** All that one Envoy is configured with, by kind. Names are unique within a kind; messages may be shared between proxies. */
export interface CompiledProxy {
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly ClusterLoadAssignment[];
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
}

const NOTHING_INBOUND: Inbound = Object.freeze({ listeners: [], clusters: [] });

/** A gateway has no application of its own, so nothing comes in but by its servers. */
export function inboundOf(scope: Scope): Inbound {
  return scope.proxy.kind === 'gateway' ? NOTHING_INBOUND : inbound(scope);
}

function outboundOf(scope: Scope): Outbound {
  if (scope.proxy.kind === 'gateway') return gatewayListeners(scope);
  const { capture } = scope.proxy.instance;
  switch (capture.kind) {
    case 'explicit':
      return explicitOutbound(scope, capture.appAddress);
    case 'redirect':
      return capturedOutbound(scope);
    default:
      return capture satisfies never;
  }
}

/** Passing on to the original destination is only for a sidecar that iptables sends to: anything else would call itself. */
export function fixedClusters(scope: Scope): readonly Cluster[] {
  const captured = scope.proxy.kind === 'sidecar' && scope.proxy.instance.capture.kind === 'redirect';
  const byNames = passesByName(scope) ? [anyDynamic()] : [];
  return captured ? [blackHole(), passthrough(), ...byNames] : [blackHole(), ...byNames];
}

/**
 * The Envoy configuration of one proxy: a pure function of the snapshot, the proxy and what policy says about it. The same
 * input gives the same output, in the same order.
 * @param onDemand clusters may be left out of what is made here, and are asked for when a call needs them
 */
export function compileProxy(snapshot: Snapshot, proxy: Proxy, security: InboundSecurity, onDemand = false): CompiledProxy {
  const scope = scopeOf(snapshot, proxy, security, onDemand);
  const { clusters, endpoints } = outboundClusters(scope);
  const through = autoPassthroughClusters(scope);
  const into = inboundOf(scope);
  const out = outboundOf(scope);
  return {
    clusters: [...clusters, ...through.clusters, ...fixedClusters(scope), ...collectorClusters(snapshot), ...into.clusters],
    endpoints: [...endpoints, ...through.endpoints],
    listeners: withTelemetry(scope, [...into.listeners, ...out.listeners]),
    routes: out.routes,
  };
}
