import type { Locality } from '../model/load-balancer.ts';
import type { Instance } from '../model/workload.ts';
import type { MachineNode } from './mesh-object.ts';

/** Where the machines of the cluster are. The same Nodes give the same places. */
export interface Places {
  ofNode(name: string | undefined): Locality | undefined;
  /** A zone's region is that of a machine in it. */
  ofZone(zone: string | undefined): Locality | undefined;
  readonly known: boolean;
}

interface Kept {
  readonly nodes: readonly MachineNode[];
  readonly places: Places;
}

const kept = new WeakMap<MachineNode, Kept>();

const NOWHERE: Places = Object.freeze({ ofNode: () => undefined, ofZone: zoneAlone, known: false });

function zoneAlone(zone: string | undefined): Locality | undefined {
  return zone === undefined ? undefined : Object.freeze({ region: '', zone, subzone: '' });
}

export function placesOf(nodes: readonly MachineNode[]): Places {
  const [first] = nodes;
  if (first === undefined) return NOWHERE;
  const before = kept.get(first);
  if (before?.nodes.length === nodes.length && before.nodes.every((node, at) => node === nodes[at])) return before.places;
  const byName = new Map<string, Locality>();
  const byZone = new Map<string, Locality>();
  for (const { meta, locality } of nodes) {
    if (locality === undefined) continue;
    byName.set(meta.name, locality);
    if (locality.zone !== '' && !byZone.has(locality.zone))
      byZone.set(locality.zone, Object.freeze({ region: locality.region, zone: locality.zone, subzone: '' }));
  }
  const places: Places = Object.freeze({
    ofNode: (name: string | undefined) => (name === undefined ? undefined : byName.get(name)),
    ofZone: (zone: string | undefined) => (zone === undefined ? undefined : (byZone.get(zone) ?? zoneAlone(zone))),
    known: true,
  });
  kept.set(first, { nodes, places });
  return places;
}

const placed = new WeakMap<Instance, Instance>();

/** An instance where its Node is, unless its own labels say where. The same place gives the same object. */
export function withPlace(instance: Instance, places: Places): Instance {
  if (instance.locality !== undefined || !places.known) return instance;
  const locality = places.ofNode(instance.node);
  if (locality === undefined) return instance;
  const before = placed.get(instance);
  if (before?.locality === locality) return before;
  const next: Instance = Object.freeze({ ...instance, locality });
  placed.set(instance, next);
  return next;
}
