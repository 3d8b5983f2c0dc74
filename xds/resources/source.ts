import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Instance } from '../../mesh/model/workload.ts';
import { EMPTY_SET, type ResourceSet, type Resources, TYPE_URLS, versionOf } from '../resource-set.ts';
import type { Answer, ResourceSource } from '../stream/source.ts';
import { composeResources } from './compose.ts';
import { findProxy, type ProxyClaim } from './proxy.ts';

export interface SnapshotResources extends ResourceSource {
  /** Makes a snapshot the current one and tells all streams. Numbers only grow. */
  publish(snapshot: Snapshot): void;
}

/**
 * What each proxy may be told, from the newest snapshot. Compiled when a proxy first asks under a snapshot and kept until
 * the next; a type whose resources are the same as before keeps its identity, so that streams see at once that there is
 * nothing to send.
 */
export function snapshotResources(first: Snapshot): SnapshotResources {
  let current = first;
  let kept = new Map<string, ResourceSet>();
  let previous = new Map<string, ResourceSet>();
  const listeners = new Set<() => void>();

  const setOf = (claim: ProxyClaim, instance: Instance, make: () => ResourceSet): ResourceSet => {
    const key = `${claim.kind} ${claim.namespace}/${instance.name}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const set = shareUnchanged(previous.get(key) ?? EMPTY_SET, make());
    kept.set(key, set);
    return set;
  };

  return {
    publish(snapshot) {
      current = snapshot;
      // Only what was asked for under the last snapshot: a proxy that is gone does not keep its configuration in memory.
      previous = kept;
      kept = new Map();
      for (const listener of listeners) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resourcesFor(claim): Answer {
      const found = findProxy(current, claim);
      switch (found.kind) {
        case 'found': {
          const { proxy } = found;
          const set = setOf(claim, proxy.instance, () => composeResources(current, proxy));
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
