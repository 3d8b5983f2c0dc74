import type { KubernetesGateway, ParentRef } from '../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../model/gateway-api-kinds.ts';
import type { Gateway, GatewayServer, ServerTls } from '../model/gateway.ts';
import { covers, type Hostname, parseHostname } from '../model/hostname.ts';
import type { Labels, Meta } from '../model/object.ts';
import { GATEWAY_NAME_LABEL } from '../model/target-ref.ts';
import type { ListenerState } from './listeners.ts';
import { routeKinds } from './listener-references.ts';
import type { World } from './world.ts';

/** One listener, of a Gateway or a ListenerSet, that is in force. */
export type OpenListener = ListenerState & { readonly listener: { readonly protocol: GatewayServer['protocol'] } };

export const ANY_HOST = anyHost();

function anyHost(): Hostname {
  const host = parseHostname('*');
  if (host === undefined) throw new TypeError('a host name');
  return host;
}

/** Which pods serve a Gateway: those with its label, or those behind the Services that its addresses name. */
export function podsOf(
  world: World,
  { meta, addresses }: KubernetesGateway,
): readonly { readonly selector: Labels; readonly podNamespace: string }[] {
  if (addresses.length === 0) return [{ selector: { [GATEWAY_NAME_LABEL]: meta.name }, podNamespace: meta.namespace }];
  return addresses.flatMap((host) => {
    const service = world.serviceByHost(host);
    return service?.selector === undefined ? [] : [{ selector: service.selector, podNamespace: service.meta.namespace }];
  });
}

export function metaOf(from: Meta, kind: 'Gateway' | 'VirtualService' | 'DestinationRule', name: string): Meta {
  return { ...from, kind, apiVersion: 'networking.istio.io/v1', name, labels: {}, annotations: {} };
}

/** An agent takes a name without a namespace to be of its own: elsewhere that would be somebody else's Secret. */
function namedFrom(tls: ServerTls, home: string, podNamespace: string): ServerTls {
  if (tls.kind !== 'terminate' || home === podNamespace) return tls;
  return {
    ...tls,
    keyPairs: tls.keyPairs.map((pair) =>
      pair.kind === 'secret' && !pair.name.includes('/') ? { ...pair, name: `${home}/${pair.name}` } : pair,
    ),
  };
}

/** The Gateways that routing compiles: one for each listener. */
export function gatewaysFor(world: World, open: OpenListener): readonly Gateway[] {
  const { gateway, listener, host, name, tls } = open;
  const server: GatewayServer = {
    name: undefined,
    port: listener.port,
    portName: listener.name,
    protocol: listener.protocol,
    hosts: [{ namespace: '*', host }],
    httpsRedirect: false,
    tls,
    bind: undefined,
  };
  return podsOf(world, gateway).map((where) => ({
    meta: metaOf(gateway.meta, 'Gateway', name),
    ...where,
    servers: [{ ...server, tls: namedFrom(tls, gateway.meta.namespace, where.podNamespace) }],
  }));
}

/** Whether a route's reference means this listener by what it names. */
export function meant({ owner, listener }: ListenerState, parent: ParentRef): boolean {
  if (parent.group !== GATEWAY_API_GROUP || parent.kind !== owner.kind) return false;
  if (parent.namespace !== owner.meta.namespace || parent.name !== owner.meta.name) return false;
  if (parent.sectionName !== undefined && parent.sectionName !== listener.name) return false;
  return parent.port === undefined || parent.port === listener.port;
}

/** Whether a listener lets in routes of a kind and namespace. */
export function letsIn(world: World, { owner, listener }: ListenerState, routeKind: string, home: string): boolean {
  return routeKinds(listener).kinds.includes(routeKind) && world.admits(listener.from, owner.meta.namespace, home);
}

export function attaches(world: World, open: ListenerState, routeKind: string, home: string, parent: ParentRef): boolean {
  return meant(open, parent) && letsIn(world, open, routeKind, home);
}

/** The hosts for which a listener answers for a route: of two that cover each other the narrower. */
export function sharedHosts(host: Hostname, hostnames: readonly Hostname[]): readonly Hostname[] {
  if (hostnames.length === 0) return [host];
  return [...new Set(hostnames.flatMap((wanted) => (covers(host, wanted) ? [wanted] : covers(wanted, host) ? [host] : [])))];
}

/** Requests for a host belong to the listener with the most specific name for it, and to no other of its port. */
export function isolated(open: OpenListener, all: readonly OpenListener[], host: Hostname): boolean {
  return !all.some(
    (other) =>
      other !== open &&
      other.listener.port === open.listener.port &&
      other.listener.protocol === open.listener.protocol &&
      other.host !== open.host &&
      covers(open.host, other.host) &&
      covers(other.host, host),
  );
}

export function isOpen(state: ListenerState): state is OpenListener {
  return state.listener.protocol !== 'other' && state.conflict === undefined && state.refused === undefined;
}
