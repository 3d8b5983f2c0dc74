import { type Listener, ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { TrustBundle } from '../../ca/bundle.ts';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import { LayeredMap } from '../../mesh/model/layered-map.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Sidecar } from '../../mesh/model/sidecar.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { KnownKeys } from '../../policy/jwks/known.ts';
import { kept } from '../../routing/kept.ts';
import type { Scope } from '../../routing/scope.ts';
import { sidecarFor } from '../../routing/sidecar-scope.ts';
import { withTelemetry } from '../../routing/telemetry/listeners.ts';
import { Joined } from '../joined.ts';
import {
  CLUSTER,
  type EncodedResource,
  encodeResource,
  ENDPOINTS,
  EXTENSION_CONFIG,
  LISTENER,
  NO_RESOURCES,
  type Resources,
  type ResourceSet,
  resourceSet,
  ROUTES,
  SECRET,
  VIRTUAL_HOST,
} from '../resource-set.ts';
import type { AutomaticScopes } from '../scope/scopes.ts';
import { asSelected } from './as-selected.ts';
import type { Outbound } from './outbound.ts';
import { composeOwn, type Own } from './own.ts';
import { routesInline, routesOf } from './route-maps.ts';
import type { HostDelivery } from './routes.ts';
import { discoveredSecurity, extensionResources } from './security.ts';
import { trustResource } from './trust.ts';
import type { Views } from './views.ts';

/** All that resources are composed from. */
export interface Composing {
  readonly snapshot: Snapshot;
  readonly bundle: TrustBundle;
  readonly revoked: RevokedPeers;
  readonly keys: KnownKeys;
}

/** What one proxy is told, and what it was composed from. */
export interface Composed {
  readonly set: ResourceSet;
  readonly of: Composing;
  readonly proxy: Proxy;
  readonly outbound: Outbound;
  readonly own: Own;
  readonly extensions: Resources;
  /** It has clusters for some services, and asks for others. */
  readonly scoped: boolean;
}

/** Lists that say nothing of what a proxy has for itself: others decide how it calls. */
const ELSEWHERE = Object.freeze({
  sidecar: new Set<keyof Snapshot>(['number', 'workloads', 'virtualServices']),
  gateway: new Set<keyof Snapshot>(['number', 'workloads']),
});

function keysOf(snapshot: Snapshot): readonly (keyof Snapshot)[] {
  return Object.keys(snapshot).filter((key): key is keyof Snapshot => key in snapshot);
}

/** Whether a proxy's own part may be another than before. */
function ownMayDiffer(now: Composing, proxy: Proxy, outbound: Outbound, before: Composed): boolean {
  const { of, proxy: old } = before;
  if (proxy.workload !== old.workload || proxy.instance !== old.instance) return true;
  if (now.revoked !== of.revoked || now.keys !== of.keys) return true;
  const [seen, seenBefore] = [outbound.view, before.outbound.view];
  if (seen.sniffs !== seenBefore.sniffs || seen.names !== seenBefore.names || outbound.carried !== before.outbound.carried)
    return true;
  if (now.snapshot === of.snapshot) return false;
  const elsewhere = ELSEWHERE[proxy.kind];
  return keysOf(now.snapshot).some((key) => !elsewhere.has(key) && now.snapshot[key] !== of.snapshot[key]);
}

const plain = new WeakMap<readonly Listener[], Resources>();
const told = kept<readonly Listener[], Resources>(256);

function encoded(listeners: readonly Listener[]): Resources {
  const made = new Map<string, EncodedResource>();
  for (const listener of listeners) made.set(listener.name, encodeResource(ListenerSchema, listener));
  return LayeredMap.of(made);
}

/** The listeners that proxies of a view share, with the telemetry of those that are told the same. */
function sharedListeners(scope: Scope, listeners: readonly Listener[]): Resources {
  if (listeners.length === 0) return NO_RESOURCES;
  const with_ = withTelemetry(scope, listeners);
  if (with_ !== listeners) return told.get(listeners, with_, () => encoded(with_));
  const known = plain.get(listeners) ?? encoded(listeners);
  plain.set(listeners, known);
  return known;
}

/** Both as one; what it was before where neither changed. */
function joined(shared: Resources, own: Resources, before: Resources | undefined): Resources {
  if (own.size === 0) return shared;
  if (shared.size === 0) return own;
  return before instanceof Joined && before.shared === shared && before.own === own ? before : new Joined(shared, own);
}

/** Whether a proxy is told of some services only. State of the world has no clusters on demand. */
export function isScoped(
  snapshot: Snapshot,
  proxy: Proxy,
  sidecar: Sidecar | undefined,
  delivery: HostDelivery,
  scopes: AutomaticScopes | undefined,
): boolean {
  return delivery === 'apart' && scopes?.scoped(snapshot, proxy, sidecar) === true;
}

/**
 * What a proxy is told now: what its view shares, joined with its own. Costs what changed for it since `before`.
 * @param delivery where it finds its virtual hosts
 * @param scopes of proxies that are told of some services only
 */
export function composeFor(
  now: Composing,
  proxy: Proxy,
  delivery: HostDelivery,
  views: Views,
  before: Composed | undefined,
  scopes?: AutomaticScopes,
): Composed {
  const { snapshot, bundle, revoked, keys } = now;
  const sidecar = sidecarFor(snapshot, proxy);
  const scoped = isScoped(snapshot, proxy, sidecar, delivery, scopes);
  const automatic = scoped ? scopes : undefined;
  const outbound = views.outbound(proxy, sidecar, revoked, scoped);
  if (before?.scoped === false) automatic?.hold(proxy, before.outbound.pieces.keys());
  const narrowed = automatic && views.narrowed(proxy, outbound, automatic.scopeFor(snapshot, outbound.view, proxy));
  let { own, extensions } = before ?? {};
  let listeners = before?.set.get(LISTENER);
  if (
    before === undefined ||
    own === undefined ||
    extensions === undefined ||
    listeners === undefined ||
    outbound.listeners !== before.outbound.listeners ||
    scoped !== before.scoped ||
    ownMayDiffer(now, proxy, outbound, before)
  ) {
    const found = discoveredSecurity(snapshot, asSelected(proxy), revoked, keys);
    const scope: Scope = { snapshot, proxy, security: found.security, sidecar, onDemand: scoped, view: outbound.view };
    own = composeOwn(scope, own);
    extensions = extensionResources(found.extensions);
    listeners = joined(sharedListeners(scope, outbound.listeners), own.listeners, listeners);
  }
  const inline = delivery === 'inline' ? routesInline(outbound, before?.outbound) : undefined;
  const parts = {
    [SECRET]: secretOf(bundle),
    [CLUSTER]: joined((narrowed ?? outbound).clusters, own.clusters, before?.set.get(CLUSTER)),
    [ENDPOINTS]: (narrowed ?? outbound).endpoints,
    [EXTENSION_CONFIG]: extensions,
    [LISTENER]: listeners,
    [ROUTES]: proxy.kind === 'gateway' ? own.routes : (inline ?? routesOf(outbound)),
    [VIRTUAL_HOST]: inline === undefined ? outbound.hosts : NO_RESOURCES,
  };
  const same = before !== undefined && resourceTypes.every((type) => before.set.get(type) === parts[type]);
  return { set: same ? before.set : resourceSet(parts), of: now, proxy, outbound, own, extensions, scoped };
}

const resourceTypes = [SECRET, CLUSTER, ENDPOINTS, EXTENSION_CONFIG, LISTENER, ROUTES, VIRTUAL_HOST] as const;

const secrets = new WeakMap<EncodedResource, Resources>();

/** One map for all proxies. */
function secretOf(bundle: TrustBundle): Resources {
  const resource = trustResource(bundle);
  const known = secrets.get(resource) ?? new Map([[resource.name, resource]]);
  secrets.set(resource, known);
  return known;
}
