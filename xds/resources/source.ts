import type { TrustBundle } from '../../ca/bundle.ts';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { NOBODY } from '../../policy/compile/revoked.ts';
import { type KnownKeys, NO_KEYS } from '../../policy/jwks/known.ts';
import { growOlder } from '../../routing/kept.ts';
import { sidecarFor } from '../../routing/sidecar-scope.ts';
import { type ResourceSet, resourceSet, SECRET } from '../resource-set.ts';
import type { Answer, ResourceSource } from '../stream/source.ts';
import type { Variant } from '../subscription/event.ts';
import { findProxy, type PodClaim } from './proxy.ts';
import { type Composed, type Composing, composeFor, isScoped } from './shared-resources.ts';
import type { HostDelivery } from './routes.ts';
import type { Reasons } from '../scope/rule.ts';
import type { AutomaticScopes, ScopeSet } from '../scope/scopes.ts';
import { trustResource } from './trust.ts';
import { Views } from './views.ts';

export interface SnapshotResources extends ResourceSource {
  /** Makes a snapshot the current one and tells all streams. Numbers only grow. */
  publish(snapshot: Snapshot): void;
  /** Makes a trust bundle the current one and tells all streams. */
  publishBundle(bundle: TrustBundle): void;
  /** Makes proxies refuse these peers, and no others: by policy, and by the lists in the bundle. Tells all streams. */
  publishRevoked(revoked: RevokedPeers, bundle: TrustBundle): void;
  /** Gives proxies these keys to verify tokens with, and tells all streams if they are others than before. */
  publishKeys(keys: KnownKeys): void;
  /** What a connected sidecar with an automatic scope is told of and why, and of how many services; undefined where it has none. */
  explainScope(claim: Pick<PodClaim, 'kind' | 'namespace' | 'pod'>): ExplainedScope | undefined;
  /** The bundle that streams are told now, and the version by which they acknowledge it ({@link StreamStatus}). */
  bundle(): PublishedBundle;
}

export interface ExplainedScope {
  readonly set: ScopeSet;
  readonly reasons: Reasons;
  /** How many services there are to see. */
  readonly of: number;
}

export interface PublishedBundle {
  readonly bundle: TrustBundle;
  readonly version: string;
}

/** A proxy that has not asked during as many changes is forgotten: one that is gone does not keep its configuration in memory. */
const FORGOTTEN_AFTER = 32;

function keyOf({ kind, namespace, pod }: Pick<PodClaim, 'kind' | 'namespace' | 'pod'>, delivery: HostDelivery): string {
  return `${kind} ${delivery} ${namespace}/${pod}`;
}

/** Envoy has virtual hosts as resources of their own over delta only. */
function deliveryTo({ kind, hostsInline }: PodClaim, variant: Variant): HostDelivery {
  return variant === 'delta' && kind === 'sidecar' && hostsInline !== true ? 'apart' : 'inline';
}

/**
 * What each proxy may be told, from the newest snapshot. Composed when a proxy asks, from what it shares with others and its own; what
 * is the same as before keeps its identity, so that streams see at once that there is nothing to send. See docs/decisions/0015.
 * @param scopes of proxies that are told of some services only
 */
export function snapshotResources(
  first: Snapshot,
  firstBundle: TrustBundle,
  firstRevoked = NOBODY,
  firstKeys: KnownKeys = NO_KEYS,
  scopes?: AutomaticScopes,
): SnapshotResources {
  let now: Composing = { snapshot: first, bundle: firstBundle, revoked: firstRevoked, keys: firstKeys };
  let forAgents: ResourceSet | undefined;
  let age = 0;
  const views = new Views(first);
  const proxies = new Map<string, { composed: Composed; asked: number }>();
  const listeners = new Set<() => void>();

  const setOf = (claim: PodClaim, proxy: Proxy, delivery: HostDelivery): ResourceSet => {
    const key = keyOf(claim, delivery);
    const before = proxies.get(key)?.composed;
    const composed = composeFor(now, proxy, delivery, views, before, scopes);
    proxies.set(key, { composed, asked: age });
    return composed.set;
  };

  const renew = (next: Partial<Composing>): void => {
    now = { ...now, ...next };
    age += 1;
    growOlder();
    views.publish(now.snapshot);
    scopes?.publish(now.snapshot);
    for (const [key, { asked }] of proxies) if (asked < age - FORGOTTEN_AFTER) proxies.delete(key);
    forAgents = undefined;
    for (const listener of listeners) listener();
  };

  return {
    publish: (snapshot) => renew({ snapshot }),
    publishBundle: (bundle) => renew({ bundle }),
    publishRevoked: (revoked, bundle) => renew({ revoked, bundle }),
    publishKeys(keys) {
      if (keys !== now.keys) renew({ keys });
    },
    bundle: () => ({ bundle: now.bundle, version: trustResource(now.bundle).version }),
    wanted(claim, asked, held) {
      if (scopes === undefined || claim.kind !== 'sidecar' || claim.hostsInline === true) return false;
      // Whoever is unknown yet, or has all, may be told of some only later; it is in use then what it holds now.
      if (held !== undefined) scopes.begin(claim, held);
      const found = findProxy(now.snapshot, claim);
      if (found.kind !== 'found') return false;
      const { proxy } = found;
      if (!scopes.scoped(now.snapshot, proxy, sidecarFor(now.snapshot, proxy))) return false;
      scopes.ask(now.snapshot, proxy, asked);
      return true;
    },
    explainScope(claim) {
      const known = proxies.get(keyOf(claim, 'apart'))?.composed;
      if (scopes === undefined || known?.scoped !== true) return undefined;
      const { view } = known.outbound;
      const set = scopes.scopeFor(now.snapshot, view, known.proxy);
      return { set, reasons: scopes.explain(now.snapshot, view, known.proxy), of: view.services.length };
    },
    prepare(claim, variant, mayGoOn) {
      if (claim.kind === 'agent') return true;
      const found = findProxy(now.snapshot, claim);
      if (found.kind !== 'found') return true;
      const { proxy } = found;
      const sidecar = sidecarFor(now.snapshot, proxy);
      const scoped = isScoped(now.snapshot, proxy, sidecar, deliveryTo(claim, variant), scopes);
      return views.prepare(proxy, sidecar, now.revoked, scoped, mayGoOn);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resourcesFor(claim, variant): Answer {
      const { number } = now.snapshot;
      if (claim.kind === 'agent') {
        forAgents ??= resourceSet({ [SECRET]: [trustResource(now.bundle)] });
        return { kind: 'found', snapshot: number, set: forAgents };
      }
      const found = findProxy(now.snapshot, claim);
      switch (found.kind) {
        case 'found': {
          return { kind: 'found', snapshot: number, set: setOf(claim, found.proxy, deliveryTo(claim, variant)) };
        }
        case 'unknown':
        case 'refused':
          return found;
        default:
          return found satisfies never;
      }
    },
  };
}
