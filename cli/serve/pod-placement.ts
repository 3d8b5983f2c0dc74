import type { PlacedPod, PodPlacement } from '../../ca/authenticate/node-proxies.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

interface Index {
  readonly nodes: ReadonlyMap<string, string>;
  readonly pods: ReadonlyMap<string, readonly PlacedPod[]>;
}

const indexes = new WeakMap<Snapshot, Index>();

/** Where pods run, from the Pods of the snapshot that is current; those that name no node run nowhere. */
export function podPlacement(current: () => Snapshot): PodPlacement {
  return {
    nodeOf: (namespace, name) => indexOf(current()).nodes.get(`${namespace}/${name}`),
    podsOnNode: (node) => indexOf(current()).pods.get(node) ?? [],
  };
}

function indexOf(snapshot: Snapshot): Index {
  const known = indexes.get(snapshot);
  if (known !== undefined) return known;
  const nodes = new Map<string, string>();
  const pods = new Map<string, PlacedPod[]>();
  for (const { namespace, serviceAccount, instances } of snapshot.workloads)
    for (const { name, node, uid } of instances) {
      if (node === undefined) continue;
      nodes.set(`${namespace}/${name}`, node);
      const there = pods.get(node) ?? [];
      there.push({ namespace, name, uid, serviceAccount });
      pods.set(node, there);
    }
  const index = { nodes, pods };
  indexes.set(snapshot, index);
  return index;
}
