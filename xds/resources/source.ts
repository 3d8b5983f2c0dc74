import type { TrustBundle } from '../../ca/bundle.ts';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Instance } from '../../mesh/model/workload.ts';
import { NOBODY } from '../../policy/compile/revoked.ts';
import { type KnownKeys, NO_KEYS } from '../../policy/jwks/known.ts';
import { EMPTY_SET, type ResourceSet, type Resources, resourceSet, SECRET, TYPE_URLS, versionOf } from '../resource-set.ts';
import type { Answer, ResourceSource } from '../stream/source.ts';
import { composeResources } from './compose.ts';
import { findProxy, type PodClaim } from './proxy.ts';
import type { HostDelivery } from './routes.ts';
import { trustResource } from './trust.ts';

export interface SnapshotResources extends ResourceSource {
  /** Makes a snapshot the current one and tells all streams. Numbers only grow. */
  publish(snapshot: Snapshot): void;
  /** Makes a trust bundle the current one and tells all streams. */
  publishBundle(bundle: TrustBundle): void;
  /** Makes proxies refuse these peers, and no others: by policy, and by the lists in the bundle. Tells all streams. */
  publishRevoked(revoked: RevokedPeers, bundle: TrustBundle): void;
  /** Gives proxies these keys to verify tokens with, and tells all streams if they are others than before. */
  publishKeys(keys: KnownKeys): void;
  /** The bundle that streams are told now, and the version by which they acknowledge it ({@link StreamStatus}). */
  bundle(): PublishedBundle;
}

export interface PublishedBundle {
  readonly bundle: TrustBundle;
  readonly version: string;
}

/**
 * What each proxy may be told, from the newest snapshot. Compiled when a proxy first asks under a snapshot and kept until
 * the next; a type whose resources are the same as before keeps its identity, so that streams see at once that there is
 * nothing to send.
 */
export function snapshotResources(
  first: Snapshot,
  firstBundle: TrustBundle,
  firstRevoked = NOBODY,
  firstKeys: KnownKeys = NO_KEYS,
): SnapshotResources {
  let current = first;
  let bundle = firstBundle;
  let revoked = firstRevoked;
  let keys = firstKeys;
  let forAgents: ResourceSet | undefined;
  let kept = new Map<string, ResourceSet>();
  let previous = new Map<string, ResourceSet>();
  const listeners = new Set<() => void>();

  const setOf = (claim: PodClaim, instance: Instance, delivery: HostDelivery, make: () => ResourceSet): ResourceSet => {
    const key = `${claim.kind} ${delivery} ${claim.namespace}/${instance.name}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const set = shareUnchanged(previous.get(key) ?? EMPTY_SET, make());
    kept.set(key, set);
    return set;
  };

  const renew = (): void => {
    // Only what was asked for the last time: a proxy that is gone does not keep its configuration in memory.
    // Two changes at once are one: nobody has asked in between.
    if (kept.size > 0) {
      previous = kept;
      kept = new Map();
    }
    forAgents = undefined;
    for (const listener of listeners) listener();
  };

  return {
    publish(snapshot) {
      current = snapshot;
      renew();
    },
    publishBundle(next) {
      bundle = next;
      renew();
    },
    publishRevoked(next, nextBundle) {
      revoked = next;
      bundle = nextBundle;
      renew();
    },
    publishKeys(next) {
      if (next === keys) return;
      keys = next;
      renew();
    },
    bundle: () => ({ bundle, version: trustResource(bundle).version }),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resourcesFor(claim, variant): Answer {
      if (claim.kind === 'agent') {
        forAgents ??= resourceSet({ [SECRET]: [trustResource(bundle)] });
        return { kind: 'found', snapshot: current.number, set: forAgents };
      }
      const found = findProxy(current, claim);
      switch (found.kind) {
        case 'found': {
          const { proxy } = found;
          const delivery = variant === 'delta' && proxy.kind === 'sidecar' ? 'apart' : 'inline';
          const set = setOf(claim, proxy.instance, delivery, () =>
            composeResources(current, proxy, bundle, revoked, keys, delivery),
          );
          return { kind: 'found', snapshot: current.number, set };
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

function shareUnchanged(before: ResourceSet, after: ResourceSet): ResourceSet {
  const shared = new Map<(typeof TYPE_URLS)[number], Resources>();
  for (const type of TYPE_URLS) {
    const [old, made] = [before.get(type), after.get(type)];
    if (made === undefined) continue;
    shared.set(type, old !== undefined && versionOf(old) === versionOf(made) ? old : made);
  }
  return shared;
}
