import { create } from '@bufbuild/protobuf';
import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { type RouteConfiguration, RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { captureOf } from '../../routing/caller.ts';
import { inboundOf } from '../../routing/compile.ts';
import { rulesFor } from '../../routing/clusters/rules.ts';
import { kept } from '../../routing/kept.ts';
import { gatewayListeners } from '../../routing/listeners/gateway.ts';
import { explicitListeners } from '../../routing/listeners/http-proxy.ts';
import type { Inbound } from '../../routing/listeners/inbound.ts';
import { portsTaken, servicesOf } from '../../routing/listeners/inbound-ports.ts';
import type { Scope } from '../../routing/scope.ts';
import { withTelemetry } from '../../routing/telemetry/listeners.ts';
import { type EncodedResource, encodeResource, NO_RESOURCES, type Resources } from '../resource-set.ts';
import { inlineRoutes } from './inline-routes.ts';

/** What a proxy has for itself: how it takes traffic in, and what it listens on at its own address. */
export interface Own {
  readonly clusters: Resources;
  readonly listeners: Resources;
  /** A gateway's. */
  readonly routes: Resources;
}

const authenticationsOf = indexedBy<PeerAuthentication>(({ meta }) => [meta.namespace]);

const inbounds = kept<Workload, Inbound>(64);

/** The same for replicas that are captured alike. */
function inbound(scope: Scope): Inbound {
  const { snapshot, proxy, security, sidecar, view } = scope;
  const { workload, instance } = proxy;
  const placed = instance.capture.kind === 'explicit' || portsTaken(scope).some(({ endpoint }) => endpoint !== undefined);
  const inputs = [
    snapshot.meshConfig,
    sidecar,
    placed ? instance : captureOf(instance),
    authenticationsOf(snapshot.peerAuthentications, workload.namespace),
    authenticationsOf(snapshot.peerAuthentications, snapshot.meshConfig.rootNamespace),
    security.httpFilters(),
    security.networkFilters(),
    // What callers may send is what is taken in.
    ...servicesOf(snapshot, workload).flatMap((service) => [
      service,
      ...rulesFor(snapshot, service, view.namespace, instance.labels),
    ]),
  ];
  return inbounds.get(workload, inputs, () => inboundOf(scope));
}

function named(resources: readonly EncodedResource[]): Resources {
  return resources.length === 0 ? NO_RESOURCES : new Map(resources.map((one) => [one.name, one]));
}

/** `before` where it says the same. */
function unlessSame(before: Resources | undefined, made: readonly EncodedResource[]): Resources {
  const same = before?.size === made.length && made.every(({ name, version }) => before.get(name)?.version === version);
  return same ? before : named(made);
}

const encoded = (listeners: readonly Listener[]) => listeners.map((listener) => encodeResource(ListenerSchema, listener));

/** From virtual hosts that are encoded once for as long as they stay the same. */
function encodedRoutes(one: RouteConfiguration): EncodedResource {
  const hosts = one.virtualHosts.map((host) => ({ name: host.name, resource: encodeResource(VirtualHostSchema, host) }));
  return inlineRoutes(create(RouteConfigurationSchema, { ...one, virtualHosts: [] }), hosts);
}

export function composeOwn(scope: Scope, before: Own | undefined): Own {
  const { proxy } = scope;
  if (proxy.kind === 'gateway') {
    const { listeners, routes } = gatewayListeners(scope);
    return {
      clusters: NO_RESOURCES,
      listeners: unlessSame(before?.listeners, encoded(withTelemetry(scope, listeners))),
      routes: unlessSame(before?.routes, routes.map(encodedRoutes)),
    };
  }
  const into = inbound(scope);
  const { capture } = proxy.instance;
  const listeners = [...into.listeners, ...(capture.kind === 'explicit' ? explicitListeners(scope, capture.appAddress) : [])];
  return {
    clusters: unlessSame(
      before?.clusters,
      into.clusters.map((cluster) => encodeResource(ClusterSchema, cluster)),
    ),
    listeners: unlessSame(before?.listeners, encoded(withTelemetry(scope, listeners))),
    routes: NO_RESOURCES,
  };
}
