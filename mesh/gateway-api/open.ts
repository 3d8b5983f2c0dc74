import { GATEWAY_API_GROUP, type KubernetesGateway, type Listener, type ParentRef } from '../model/gateway-api.ts';
import type { KeyPair } from '../model/destination-rule.ts';
import type { Gateway, GatewayServer, ServerTls } from '../model/gateway.ts';
import { covers, type Hostname, parseHostname } from '../model/hostname.ts';
import type { Labels, Meta } from '../model/object.ts';
import { GATEWAY_NAME_LABEL } from '../model/target-ref.ts';
import type { World } from './world.ts';

/** One listener, of a Gateway or a ListenerSet, that is in force. */
export interface OpenListener {
  readonly gateway: KubernetesGateway;
  /** Whose it is, and in what object routes name it. */
  readonly owner: { readonly kind: 'Gateway' | 'ListenerSet'; readonly meta: Meta };
  readonly listener: Listener;
  readonly host: Hostname;
  /** The name of the Gateway that is made of it; `~` is in no name of Kubernetes. */
  readonly name: string;
}

const ALL = parseHostname('*');

/** Listeners of a Gateway, its own first; of two with one port and host the first is in force. */
export function openListeners(world: World, gateway: KubernetesGateway): readonly OpenListener[] {
  const home = gateway.meta.namespace;
  const sets = world.listenerSets.filter(
    ({ meta, parent }) =>
      parent.group === GATEWAY_API_GROUP &&
      parent.kind === 'Gateway' &&
      parent.namespace === home &&
      parent.name === gateway.meta.name &&
      world.admits(gateway.allowedListeners, home, meta.namespace),
  );
  const owners = [
    { kind: 'Gateway' as const, meta: gateway.meta, listeners: gateway.listeners },
    ...sets.map(({ meta, listeners }) => ({ kind: 'ListenerSet' as const, meta, listeners })),
  ];
  const taken = new Map<string, boolean>();
  const found: OpenListener[] = [];
  for (const { kind, meta, listeners } of owners) {
    for (const listener of listeners) {
      const host = listener.hostname ?? ALL;
      if (host === undefined) continue;
      const plain = listener.protocol === 'HTTP';
      // On one port plain HTTP and TLS cannot both be served by host.
      const key = listener.protocol === 'TCP' ? `${listener.port}` : `${listener.port} ${host}`;
      if (taken.has(key)) continue;
      taken.set(key, plain);
      const from = kind === 'Gateway' ? '' : `~${meta.namespace}~${meta.name}`;
      found.push({ gateway, owner: { kind, meta }, listener, host, name: `${gateway.meta.name}${from}~${listener.name}` });
    }
  }
  return found;
}

function keyPairs(world: World, { owner, listener, gateway }: OpenListener): readonly KeyPair[] | undefined {
  const pairs: KeyPair[] = [];
  for (const ref of listener.certificates) {
    if (ref.kind !== 'Secret' || ref.group !== '') return undefined;
    if (!world.granted(owner.kind, owner.meta.namespace, ref)) return undefined;
    pairs.push({ kind: 'secret', name: ref.namespace === gateway.meta.namespace ? ref.name : `${ref.namespace}/${ref.name}` });
  }
  return pairs.length === 0 ? undefined : pairs;
}

function serverTls(world: World, open: OpenListener): ServerTls {
  const { tls } = open.listener;
  if (tls.kind !== 'terminate') return tls;
  const pairs = keyPairs(world, open);
  return pairs === undefined ? { kind: 'unavailable' } : { ...tls, keyPairs: pairs };
}

/** Which pods serve a Gateway: those with its label, or those behind the Services that its addresses name. */
function pods(
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

/** The Gateways that routing compiles: one for each listener. */
export function gatewaysFor(world: World, open: OpenListener): readonly Gateway[] {
  const { gateway, listener, host, name } = open;
  const server: GatewayServer = {
    name: undefined,
    port: listener.port,
    portName: listener.name,
    protocol: listener.protocol,
    hosts: [{ namespace: '*', host }],
    httpsRedirect: false,
    tls: serverTls(world, open),
    bind: undefined,
  };
  return pods(world, gateway).map((where) => ({ meta: metaOf(gateway.meta, 'Gateway', name), ...where, servers: [server] }));
}

/** Kinds of routes by protocol, where the listener names none. */
const KINDS: Readonly<Record<Listener['protocol'], readonly string[]>> = Object.freeze({
  HTTP: ['HTTPRoute', 'GRPCRoute'],
  HTTPS: ['HTTPRoute', 'GRPCRoute'],
  TLS: ['TLSRoute', 'TCPRoute'],
  TCP: ['TCPRoute'],
});

/** Whether a route's reference means this listener, and the listener lets it in. */
export function attaches(world: World, open: OpenListener, routeKind: string, home: string, parent: ParentRef): boolean {
  const { owner, listener } = open;
  if (parent.group !== GATEWAY_API_GROUP || parent.kind !== owner.kind) return false;
  if (parent.namespace !== owner.meta.namespace || parent.name !== owner.meta.name) return false;
  if (parent.sectionName !== undefined && parent.sectionName !== listener.name) return false;
  if (parent.port !== undefined && parent.port !== listener.port) return false;
  const usual = KINDS[listener.protocol];
  if (!usual.includes(routeKind) || (listener.kinds.length > 0 && !listener.kinds.includes(routeKind))) return false;
  return world.admits(listener.from, owner.meta.namespace, home);
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
