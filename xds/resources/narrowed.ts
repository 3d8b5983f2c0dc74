import { LayeredMap } from '../../mesh/model/layered-map.ts';
import type { EncodedResource } from '../resource-set.ts';
import type { ScopeSet } from '../scope/scopes.ts';
import { absentCluster } from './absent.ts';
import type { Outbound } from './outbound.ts';

type Encoded = LayeredMap<string, EncodedResource>;

/** Of a view the clusters and endpoints of some services. Listeners and routes stay whole: they say what there is to ask for. */
export interface Narrowed {
  readonly clusters: Encoded;
  readonly endpoints: Encoded;
}

interface From extends Narrowed {
  readonly outbound: Outbound;
}

/** By view. */
const narrowed = new WeakMap<ScopeSet, Map<string, From>>();

function renewed(before: Encoded | undefined, made: ReadonlyMap<string, EncodedResource>): Encoded {
  if (before === undefined) return LayeredMap.of(made);
  const changes: [string, EncodedResource | undefined][] = [];
  for (const [name, resource] of made) if (before.get(name) !== resource) changes.push([name, resource]);
  for (const name of before.keys()) if (!made.has(name)) changes.push([name, undefined]);
  return before.with(changes);
}

/** Costs what the scope is, once for all proxies that have it, and gives the same maps as long as nothing in it changes. */
export function narrowedTo(set: ScopeSet, view: string, outbound: Outbound): Narrowed {
  const known = narrowed.get(set) ?? new Map<string, From>();
  narrowed.set(set, known);
  const before = known.get(view);
  if (before?.outbound === outbound) return before;
  const clusters = new Map<string, EncodedResource>();
  const endpoints = new Map<string, EncodedResource>();
  for (const host of set.hosts) {
    const piece = outbound.pieces.get(host);
    for (const { name } of piece?.clusters ?? []) take(outbound.clusters, name, clusters);
    for (const { name } of piece?.endpoints ?? []) take(outbound.endpoints, name, endpoints);
  }
  for (const name of outbound.fixed) take(outbound.clusters, name, clusters);
  for (const name of set.names) if (!outbound.clusters.has(name)) clusters.set(name, absentCluster(name));
  const made = {
    outbound,
    clusters: renewed(before?.clusters, clusters),
    endpoints: renewed(before?.endpoints, endpoints),
  };
  known.set(view, made);
  return made;
}

function take(from: Encoded, name: string, into: Map<string, EncodedResource>): void {
  const resource = from.get(name);
  if (resource !== undefined) into.set(name, resource);
}
