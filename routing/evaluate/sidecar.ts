import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import { isHttp, parsePort, type Port } from '../../mesh/model/port.ts';
import type { Service, ServicePort } from '../../mesh/model/service.ts';
import { selects } from '../../mesh/model/object.ts';
import type { L4Match, TcpRoute, VirtualService } from '../../mesh/model/virtual-service.ts';
import type { Answer, Outcome } from './answer.ts';
import { narrowest } from './blocks.ts';
import type { Site } from './condition.ts';
import { shares, target, type World } from './destination.ts';
import { type Claim, closest, namesOf, serviceNamesOf } from './domains.ts';
import { named, namedService } from './named.ts';
import { hostOnly, portIn } from './parts.ts';
import type { RouteRequest } from './question.ts';
import { routed } from './routed.ts';
import { candidatesOf } from './walk.ts';

type Found =
  { readonly service: Service; readonly port: ServicePort } | { readonly virtual: VirtualService; readonly host: Hostname };

const HTTP = parsePort(80);
const speaksHttp = ({ protocol }: ServicePort) => isHttp(protocol) || protocol === 'unknown';

/** Hosts of VirtualServices behind which no service stands; they answer on port 80. */
function hostsAlone({ view }: World): readonly { readonly virtual: VirtualService; readonly host: Hostname }[] {
  return view.meshVirtualServices.flatMap((virtual) =>
    virtual.hosts
      .filter(
        (host) =>
          host !== '*' &&
          (virtual.http.length > 0 || view.aliased(host) === undefined) &&
          !view.services.some(({ hostname }) => hostname === host || (host.startsWith('*') && covers(host, hostname))),
      )
      .map((host) => ({ virtual, host })),
  );
}

/** On which ports such a host answers: an alias's name on those of what it stands for. */
function answersOn({ view }: World, host: Hostname, port: number): boolean {
  const service = view.aliased(host);
  return service === undefined ? port === HTTP : service.ports.some((one) => one.port === port && speaksHttp(one));
}

/** A VirtualService for an alias holds for its full name alone, and there goes before the service's own. */
function claimsAlone({ snapshot, view }: World, alone: ReturnType<typeof hostsAlone>, services: readonly Claim<Found>[]) {
  const claim = (thing: { readonly virtual: VirtualService; readonly host: Hostname }): Claim<Found> => ({
    domains:
      view.aliased(thing.host) !== undefined
        ? [thing.host, `${thing.host}.`]
        : namesOf(thing.host, view.namespace, snapshot.meshConfig.clusterDomain),
    thing,
  });
  const aliased = alone.filter(({ host }) => view.aliased(host) !== undefined);
  return [...aliased.map(claim), ...services, ...alone.filter(({ host }) => view.aliased(host) === undefined).map(claim)];
}

/** An application behind iptables: the port is the one connected to, whatever the Host header says of it. */
function captured(
  world: World,
  request: RouteRequest,
): { readonly port: Port; readonly claims: readonly Claim<Found>[] } | undefined {
  const port = request.port ?? parsePort(portIn(request.host)) ?? HTTP;
  if (port === undefined) return undefined;
  const { snapshot, view } = world;
  const { clusterDomain } = snapshot.meshConfig;
  const services = view.services.flatMap((service): readonly Claim<Found>[] => {
    const found = service.ports.find((one) => one.port === port);
    return found === undefined
      ? []
      : [{ domains: serviceNamesOf(service, view.namespace, clusterDomain), thing: { service, port: found } }];
  });
  // Nothing listens for HTTP on a port that no service has: such hosts share the listener of those that have one.
  const heard = services.some(({ thing }) => 'port' in thing && speaksHttp(thing.port));
  const alone = heard ? hostsAlone(world).filter(({ host }) => answersOn(world, host, port)) : [];
  return { port, claims: claimsAlone(world, alone, services) };
}

/** The port of a service for a URL without one: 80, else the first that may be HTTP. */
function unnamed(service: Service): ServicePort | undefined {
  const ports = service.ports.filter(speaksHttp);
  return ports.find(({ port }) => port === HTTP) ?? ports[0];
}

/** An application that is told of an HTTP proxy: the URL alone says where to. */
function explicit(
  world: World,
  request: RouteRequest,
): { readonly port: Port; readonly claims: readonly Claim<Found>[] } | undefined {
  const { snapshot, view } = world;
  const { clusterDomain } = snapshot.meshConfig;
  const asked = portIn(request.host);
  const services = view.services.flatMap((service): readonly Claim<Found>[] => {
    const port = asked === undefined ? unnamed(service) : service.ports.find((one) => one.port === asked && speaksHttp(one));
    return port === undefined
      ? []
      : [{ domains: serviceNamesOf(service, view.namespace, clusterDomain), thing: { service, port } }];
  });
  const others = hostsAlone(world).filter(({ host }) => answersOn(world, host, asked ?? 80));
  const port = parsePort(asked) ?? HTTP;
  if (port === undefined) return undefined;
  return {
    port,
    claims: claimsAlone(world, others, services),
  };
}

function unknownHost({ view, asker }: World, heard: boolean, host: string): Outcome {
  if (view.outboundTrafficPolicy === 'REGISTRY_ONLY')
    return heard || asker.instance.capture.kind === 'explicit'
      ? { kind: 'refused', status: 502, why: 'no service has this host, and outboundTrafficPolicy is REGISTRY_ONLY' }
      : {
          kind: 'refused',
          status: 0,
          why: 'no service has this port, and outboundTrafficPolicy is REGISTRY_ONLY: the connection is closed',
        };
  if (asker.instance.capture.kind === 'explicit' && host.endsWith(':15001'))
    return { kind: 'refused', status: 502, why: 'no service has this host, and it is the port of the proxy itself' };
  if (asker.instance.capture.kind === 'explicit' || view.outboundTrafficPolicy === 'ALLOW_ANY_DYNAMIC_DNS')
    return {
      kind: 'passthrough',
      why: `no service has this host, and outboundTrafficPolicy is ${view.outboundTrafficPolicy}: it is found by its name`,
    };
  return { kind: 'passthrough', why: 'no service has this host, and outboundTrafficPolicy is ALLOW_ANY' };
}

function plain(world: World, service: Service, port: Port, request: RouteRequest): Outcome {
  const all = { destination: { host: service.hostname, subset: undefined, port }, weight: 1, headers: undefined };
  return {
    kind: 'route',
    destinations: [target(world, all, 1, port, request.host)],
    path: request.path,
    rewritten: false,
    mirrors: [],
    timeoutMs: undefined,
    retries: undefined,
    headers: undefined,
  };
}

/** Whether a match of a connection can hold at a site; of its destination blocks nothing is said yet. */
function canHold({ asker, port, gateway }: Site, match: L4Match): boolean {
  return (
    (match.port ?? port) === port &&
    (match.gateways.length === 0 || match.gateways.includes(gateway)) &&
    selects(match.sourceLabels, asker.instance.labels) &&
    (match.sourceNamespace ?? asker.workload.namespace) === asker.workload.namespace
  );
}

/**
 * The route of a connection to one of these addresses. Up to the first one that takes every destination, the narrowest block counts, as Envoy
 * chooses among filter chains, and of two alike the first.
 */
function connectionRoute(routes: readonly TcpRoute[], addresses: readonly string[], site: Site): TcpRoute | undefined {
  let best: { readonly route: TcpRoute; readonly length: number } | undefined;
  for (const route of routes) {
    const matches = route.match.filter((match) => canHold(site, match));
    if (route.match.length === 0 || matches.some(({ destinationSubnets }) => destinationSubnets.length === 0))
      return best?.route ?? route;
    for (const { destinationSubnets } of matches) {
      const length = narrowest(destinationSubnets, addresses);
      if (length !== undefined && length > (best?.length ?? -1)) best = { route, length };
    }
  }
  return best?.route;
}

/** Bytes: the TCP route that holds, else straight to the service. */
function asBytes(world: World, service: Service, port: ServicePort, site: Site): Outcome {
  const virtual = world.view.virtualServiceFor(service.hostname);
  const route = connectionRoute(virtual?.tcp ?? [], service.addresses, site);
  const all = { destination: { host: service.hostname, subset: undefined, port: port.port }, weight: 1, headers: undefined };
  const parts = shares(route?.destinations ?? [all]);
  return {
    kind: 'connection',
    destinations: parts.map(([one, share]) => target(world, one, share, port.port, '')),
    why: `port ${port.port} of ${service.hostname} is ${port.protocol}, not HTTP: routes for HTTP do not count`,
  };
}

/** What the proxy beside a workload does with a request of its application. */
export function bySidecar(world: World, request: RouteRequest): Answer {
  const nothing = { taken: undefined, skipped: [], fault: undefined };
  const how = world.asker.instance.capture.kind === 'explicit' ? explicit(world, request) : captured(world, request);
  const found = closest(how?.claims ?? [], hostOnly(request.host));
  if (how === undefined || found === undefined)
    return { ...nothing, claimed: undefined, outcome: unknownHost(world, (how?.claims.length ?? 0) > 0, request.host) };
  const { thing, domain } = found;
  const port = 'service' in thing ? thing.port.port : how.port;
  const site: Site = { asker: world.asker, port, gateway: 'mesh' };
  const claimed = {
    by: 'service' in thing ? namedService(thing.service.meta) : named('VirtualService', thing.virtual.meta),
    domain,
  };
  if ('service' in thing && !speaksHttp(thing.port))
    return { ...nothing, claimed, outcome: asBytes(world, thing.service, thing.port, site) };
  const virtual = 'service' in thing ? world.view.virtualServiceFor(thing.service.hostname) : thing.virtual;
  if ('service' in thing && (virtual === undefined || virtual.http.length === 0))
    return { ...nothing, claimed, outcome: plain(world, thing.service, port, request) };
  return routed(world, claimed, virtual === undefined ? [] : candidatesOf(site, virtual), request);
}
