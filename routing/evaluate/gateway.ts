import type { Gateway, GatewayServer } from '../../mesh/model/gateway.ts';
import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import { keyOf, selects } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import { GATEWAY_NAME_LABEL } from '../../mesh/model/target-ref.ts';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import { containerPort } from '../../mesh/model/workload.ts';
import { virtualServices } from '../delegates.ts';
import { visibleFrom } from '../visibility.ts';
import type { Answer } from './answer.ts';
import type { World } from './destination.ts';
import { closest, namesOf } from './domains.ts';
import { named } from './named.ts';
import { hostOnly } from './parts.ts';
import type { RouteRequest } from './question.ts';
import { routed } from './routed.ts';
import { type Candidate, candidatesOf, isLast } from './walk.ts';

interface Open {
  readonly gateway: Gateway;
  readonly server: GatewayServer;
}

/** The port at which the gateway's pods themselves listen: several servers may meet there. */
function listensAt({ snapshot, asker }: World, port: Port): Port {
  for (const { selector, meta, ports } of snapshot.services) {
    if (selector === undefined || Object.keys(selector).length === 0 || meta.namespace !== asker.workload.namespace) continue;
    if (!selects(selector, asker.workload.labels)) continue;
    if (meta.labels['experimental.istio.io/disable-gateway-port-translation'] === 'true') continue;
    const mapped = ports.find((one) => one.port === port);
    const at = mapped === undefined ? undefined : containerPort(asker.workload, mapped.targetPort);
    if (at !== undefined) return at;
  }
  return port;
}

/** Whoever selects the pod; but a pod of a Gateway API's Gateway is none that other namespaces' Gateways of Istio's kind may use. */
function selecting({ snapshot, asker: { workload, instance } }: World): readonly Gateway[] {
  const home = workload.namespace;
  const owned = snapshot.gateways.some(
    ({ selector, podNamespace }) =>
      podNamespace === home && selector[GATEWAY_NAME_LABEL] !== undefined && selects(selector, instance.labels),
  );
  return snapshot.gateways.filter(({ selector, podNamespace, meta }) => {
    if (!selects(selector, instance.labels)) return false;
    return podNamespace === undefined ? !owned || meta.namespace === home : podNamespace === home;
  });
}

/** The servers that take a request to a port: in plain text all that share it, in TLS the one whose hosts have the server name. */
function serversFor(world: World, request: RouteRequest): readonly Open[] {
  const { port, scheme } = request;
  if (port === undefined) return [];
  const all = selecting(world)
    .flatMap((gateway) => gateway.servers.map((server) => ({ gateway, server })))
    .filter(({ server }) => server.tls.kind !== 'unavailable' && listensAt(world, server.port) === listensAt(world, port));
  if (scheme === 'http') return all.filter(({ server }) => ['HTTP', 'HTTP2', 'GRPC'].includes(server.protocol));
  const secure = all.filter(({ server }) => server.protocol === 'HTTPS' && server.tls.kind === 'terminate');
  const best = closest(
    secure.map((open) => ({ domains: open.server.hosts.map(({ host }) => host), thing: open })),
    hostOnly(request.host),
  );
  return best === undefined ? [] : [best.thing];
}

/** The hosts for which a server lets a VirtualService answer: of two that cover each other the narrower. */
function shared({ gateway, server }: Open, virtual: VirtualService): ReadonlySet<Hostname> {
  const common = new Set<Hostname>();
  for (const { namespace, host } of server.hosts) {
    const home = namespace === '.' ? gateway.meta.namespace : namespace;
    if (home !== '*' && home !== virtual.meta.namespace) continue;
    for (const wanted of virtual.hosts)
      if (covers(host, wanted)) common.add(wanted);
      else if (covers(wanted, host)) common.add(host);
  }
  return common;
}

interface Host {
  readonly bound: { readonly open: Open; readonly virtual: VirtualService }[];
  redirects: boolean;
  readonly opened: Open;
}

function hostsOf(world: World, opens: readonly Open[]): ReadonlyMap<Hostname, Host> {
  const hosts = new Map<Hostname, Host>();
  const virtuals = virtualServices(world.snapshot);
  for (const open of opens) {
    const name = keyOf(open.gateway.meta);
    for (const virtual of virtuals) {
      if (!virtual.gateways.includes(name)) continue;
      if (!visibleFrom(virtual.exportTo, virtual.meta.namespace, world.view.namespace)) continue;
      for (const host of shared(open, virtual)) {
        const entry = hosts.get(host) ?? { bound: [], redirects: false, opened: open };
        hosts.set(host, entry);
        if (entry.bound.some((one) => one.virtual === virtual)) continue;
        entry.bound.push({ open, virtual });
        entry.redirects ||= open.server.httpsRedirect;
      }
    }
    if (!open.server.httpsRedirect) continue;
    for (const { host } of open.server.hosts) if (!hosts.has(host)) hosts.set(host, { bound: [], redirects: true, opened: open });
  }
  return hosts;
}

/** Routes of several VirtualServices follow each other; what takes everything is tried last, and only the first such. */
function inOrder(world: World, { bound }: Host, request: RouteRequest): readonly Candidate[] {
  const lists = bound.map(({ open, virtual }) => {
    const site = { asker: world.asker, port: open.server.port, gateway: keyOf(open.gateway.meta) };
    const all = candidatesOf(site, virtual);
    const last = all.findIndex((one) => isLast(one, request));
    return last < 0 ? all : all.slice(0, last + 1);
  });
  const every = lists.flat();
  return [...every.filter((one) => !isLast(one, request)), ...every.filter((one) => isLast(one, request)).slice(0, 1)];
}

/** What a gateway does with a request from outside. */
export function byGateway(world: World, request: RouteRequest): Answer {
  const nothing = { claimed: undefined, taken: undefined, skipped: [], fault: undefined };
  const opens = serversFor(world, request);
  if (opens.length === 0) {
    const why = `no Gateway that selects it has a server for ${request.scheme} on port ${request.port ?? '?'} and this host`;
    return { ...nothing, outcome: { kind: 'refused', status: 0, why } };
  }
  const hosts = [...hostsOf(world, opens)];
  const { clusterDomain } = world.snapshot.meshConfig;
  // Short names come last: whoever claims a host in full has it.
  const short = (host: Hostname) => {
    const [own] = host.split('.');
    const names = namesOf(host, undefined, clusterDomain).slice(2);
    return names.length === 0 || own === undefined ? [] : [...names, own];
  };
  const found = closest(
    [
      ...hosts.map(([host, thing]) => ({ domains: [host as string], thing })),
      ...hosts.map(([host, thing]) => ({ domains: short(host), thing })),
    ],
    hostOnly(request.host),
  );
  if (found === undefined)
    return { ...nothing, outcome: { kind: 'refused', status: 404, why: 'no VirtualService of this gateway has this host' } };
  const { thing, domain } = found;
  const claimed = { by: named('Gateway', (thing.bound[0]?.open ?? thing.opened).gateway.meta), domain };
  if (thing.redirects && request.scheme === 'http') {
    const location = `https://${request.host}${request.path}`;
    return { ...nothing, claimed, outcome: { kind: 'redirect', status: 301, location } };
  }
  return routed(world, claimed, inOrder(world, thing, request), request);
}
