import type { Gateway } from '../model/gateway.ts';
import type { Hostname } from '../model/hostname.ts';
import type { HttpRoute, RouteDestination, TcpRoute, TlsRoute, VirtualService } from '../model/virtual-service.ts';
import type { ConnectionRoute } from '../model/gateway-api.ts';
import { gatewayProblem } from './accepted.ts';
import { NOBODY, resolvedBackend } from './backends.ts';
import { listenerStates } from './listeners.ts';
import { attaches, gatewaysFor, isolated, isOpen, metaOf, type OpenListener, sharedHosts } from './open.ts';
import { byPrecedence, rankedMatches, type Ranked } from './request-routes.ts';
import type { World } from './world.ts';
import { UNTOUCHED } from './untouched.ts';

const EVERYWHERE = Object.freeze({ kind: 'all' as const });

/** A host of a listener that no route claims: its requests stay with it, and find nothing. */
const NOT_FOUND: HttpRoute = Object.freeze({
  name: 'no-route',
  match: [],
  action: Object.freeze({ kind: 'direct-response' as const, status: 404, body: undefined }),
  ...UNTOUCHED,
});

function requests(world: World, open: OpenListener, all: readonly OpenListener[]): readonly VirtualService[] {
  const { gateway, listener, host, name } = open;
  const gateways = [`${gateway.meta.namespace}/${name}`];
  const hosts = new Map<Hostname, Ranked[]>();
  for (const route of world.requestRoutes) {
    if (!route.parents.some((parent) => attaches(world, open, route.kind, route.meta.namespace, parent))) continue;
    const site = {
      port: undefined,
      listenPort: listener.port,
      gateways,
      scheme: listener.protocol === 'HTTPS' ? ('https' as const) : ('http' as const),
    };
    const ranked = rankedMatches(world, site, route);
    for (const shared of sharedHosts(host, route.hostnames)) {
      if (!isolated(open, all, shared)) continue;
      const there = hosts.get(shared);
      if (there === undefined) hosts.set(shared, [...ranked]);
      else there.push(...ranked);
    }
  }
  if (!hosts.has(host)) hosts.set(host, []);
  return [...hosts].map(([shared, ranked]) => ({
    meta: metaOf(gateway.meta, 'VirtualService', `${name}~${shared}`),
    hosts: [shared],
    gateways,
    exportTo: EVERYWHERE,
    http: [...ranked.sort(byPrecedence).map(({ http }) => http), NOT_FOUND],
    tls: [],
    tcp: [],
  }));
}

const nowhere = (port: RouteDestination['destination']['port']): RouteDestination['destination'] => ({
  host: NOBODY,
  subset: undefined,
  port,
});

/**
 * Where the connections of a route go: by its first rule, since rules of connections have nothing to choose by. One of the backends that is not
 * there takes its share, and closes it; without any that takes a share all are closed.
 */
export function connectionTargets(world: World, route: ConnectionRoute): readonly RouteDestination[] {
  const [rule] = route.rules;
  if (rule === undefined) return [];
  if (rule.backends.every(({ weight }) => weight === 0))
    return [{ destination: nowhere(undefined), weight: 1, headers: undefined }];
  return rule.backends.map((ref) => {
    const to = resolvedBackend(world, route.kind, route.meta.namespace, ref);
    return { destination: typeof to === 'string' ? nowhere(ref.port) : to, weight: ref.weight, headers: undefined };
  });
}

function connections(world: World, open: OpenListener): readonly VirtualService[] {
  const { gateway, listener, host, name } = open;
  const gateways = [`${gateway.meta.namespace}/${name}`];
  const l4 = { destinationSubnets: [], port: undefined, sourceLabels: {}, sourceNamespace: undefined, gateways };
  const claimed = new Set<Hostname>();
  return world.connectionRoutes.flatMap((route) => {
    if (!route.parents.some((parent) => attaches(world, open, route.kind, route.meta.namespace, parent))) return [];
    const hosts = sharedHosts(host, route.hostnames).filter((one) => !claimed.has(one));
    const destinations = connectionTargets(world, route);
    if (hosts.length === 0 || destinations.length === 0) return [];
    for (const one of hosts) claimed.add(one);
    const tls: readonly TlsRoute[] =
      listener.tls.kind === 'passthrough' ? [{ match: [{ ...l4, sniHosts: hosts }], destinations }] : [];
    const tcp: readonly TcpRoute[] = listener.tls.kind === 'passthrough' ? [] : [{ match: [l4], destinations }];
    const meta = metaOf(route.meta, 'VirtualService', `${route.meta.name}~${gateway.meta.namespace}~${name}`);
    return [{ meta, hosts, gateways, exportTo: EVERYWHERE, http: [], tls, tcp }];
  });
}

/** What the Gateways of the API and the routes at them come to. */
export function atGateways(world: World): {
  readonly gateways: readonly Gateway[];
  readonly virtualServices: readonly VirtualService[];
} {
  const served = world.gateways.filter((gateway) => gatewayProblem(world, gateway) === undefined);
  const all = served.map((gateway) => listenerStates(world, gateway).filter(isOpen));
  return {
    gateways: all.flatMap((listeners) => listeners.flatMap((open) => gatewaysFor(world, open))),
    virtualServices: all.flatMap((listeners) =>
      listeners.flatMap((open) =>
        open.listener.protocol === 'HTTP' || open.listener.protocol === 'HTTPS'
          ? requests(world, open, listeners)
          : connections(world, open),
      ),
    ),
  };
}
