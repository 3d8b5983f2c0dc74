import { changedNames, CLUSTER, LISTENER } from '../resource-set.ts';
import type { EncodedResource, Resources, TypeUrl } from '../resource-set.ts';
import type { Variant } from './event.ts';
import { wants } from './interest.ts';
import { ABSENT } from './sent.ts';
import type { TypeState } from './state.ts';

/** What a client has not been told yet of one type. */
export interface Due {
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
}

/** In SotW a response for listeners or clusters holds all of them, and what is missing is deleted; of other types any part may be sent. */
export function sentWhole(variant: Variant, type: TypeUrl): boolean {
  return variant === 'sotw' && (type === CLUSTER || type === LISTENER);
}

/** Compares what a client should have with what it has been sent. */
export function dueOf(of: TypeState, current: Resources): Due {
  const resources: EncodedResource[] = [];
  const removed: string[] = [];
  for (const name of candidates(of, current)) {
    if (!wants(of.interest, name)) continue;
    const resource = current.get(name);
    const sent = of.sent.get(name);
    const owed = of.owed.has(name);
    if (resource !== undefined) {
      if (owed || (sent !== resource && sent?.version !== resource.version)) resources.push(resource);
    } else if (owed || (sent !== ABSENT && (sent !== undefined || of.interest.names.has(name)))) removed.push(name);
  }
  return { resources, removed };
}

function candidates(of: TypeState, current: Resources): Iterable<string> {
  if (of.planned !== undefined) {
    const changed = changedNames(of.planned, current);
    return of.owed.size === 0 ? changed : new Set([...changed, ...of.owed]);
  }
  if (of.interest.wildcard === 'none') return of.interest.names;
  const all = new Set(current.keys());
  for (const [name] of of.sent.entries()) all.add(name);
  for (const name of of.interest.names) all.add(name);
  return all;
}

/** SotW: the part of a whole type that is asked for; the map itself when that is all. */
export function wantedOf(of: TypeState, current: Resources): Resources {
  if (of.interest.wildcard !== 'none') return current;
  const wanted = new Map<string, EncodedResource>();
  for (const name of of.interest.names) {
    const resource = current.get(name);
    if (resource !== undefined) wanted.set(name, resource);
  }
  return wanted;
}

/** `after` with what only `before` had: nothing is deleted yet. `after` itself when nothing would be. */
export function keeping(before: Resources | undefined, after: Resources): Resources {
  if (before === undefined || before === after) return after;
  const gone = [...before].filter(([name]) => !after.has(name));
  return gone.length === 0 ? after : new Map([...after, ...gone]);
}

/** Parts of about `limit` bytes, each of at least one resource, in order. */
export function inParts(resources: readonly EncodedResource[], limit: number): readonly (readonly EncodedResource[])[] {
  const parts: EncodedResource[][] = [];
  let part: EncodedResource[] = [];
  let size = 0;
  for (const resource of resources) {
    const bytes = resource.any.byteLength + resource.name.length + 48;
    if (part.length > 0 && size + bytes > limit) {
      parts.push(part);
      part = [];
      size = 0;
    }
    part.push(resource);
    size += bytes;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
