import { changedNames, CLUSTER, LISTENER } from '../resource-set.ts';
import type { EncodedResource, Resources, TypeUrl } from '../resource-set.ts';
import type { Variant } from './event.ts';
import { type Interest, wants } from './interest.ts';
import { ABSENT, Sent } from './sent.ts';
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
  if (of.sent === Sent.NOTHING && coversAll(of.interest, current)) {
    // The same list for each new stream: its parts and its bytes are shared too.
    const unknown = new Set([...of.interest.names, ...of.owed].filter((name) => !current.has(name)));
    return { resources: allOf(current), removed: [...unknown] };
  }
  const resources: EncodedResource[] = [];
  const removed: string[] = [];
  const seen = of.owed.size === 0 ? undefined : new Set<string>();
  const look = (name: string): void => {
    if (!wants(of.interest, name)) return;
    seen?.add(name);
    const resource = current.get(name);
    const sent = of.sent.get(name);
    const owed = of.owed.has(name);
    if (resource !== undefined) {
      if (owed || (sent !== resource && sent?.version !== resource.version)) resources.push(resource);
    } else if (owed || (sent !== ABSENT && (sent !== undefined || of.interest.names.has(name)))) removed.push(name);
  };
  for (const name of of.sent.unlike(current, of.interest)) look(name);
  for (const name of of.owed) if (seen?.has(name) !== true) look(name);
  return { resources, removed };
}

function coversAll({ wildcard, names }: Interest, current: Resources): boolean {
  if (wildcard !== 'none') return true;
  if (names.size < current.size) return false;
  for (const name of current.keys()) if (!names.has(name)) return false;
  return true;
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

const kept = new WeakMap<Resources, WeakMap<Resources, Resources>>();

/**
 * `after` with what only `before` had: nothing is deleted yet. `after` itself when nothing would be. Many streams ask for the same pair at
 * once, so the answer is kept by identity.
 */
export function keeping(before: Resources | undefined, after: Resources): Resources {
  if (before === undefined || before === after) return after;
  const gone = changedNames(before, after).filter((name) => !after.has(name));
  if (gone.length === 0) return after;
  const known = kept.get(before)?.get(after);
  if (known !== undefined) return known;
  const both = new Map(after);
  for (const name of gone) {
    const resource = before.get(name);
    if (resource !== undefined) both.set(name, resource);
  }
  const ofBefore = kept.get(before) ?? new WeakMap<Resources, Resources>();
  kept.set(before, ofBefore.set(after, both));
  return both;
}

/** Whether the bytes of two maps are the same. */
export function sameContent(one: Resources, other: Resources): boolean {
  return changedNames(one, other).length === 0;
}

const lists = new WeakMap<Resources, readonly EncodedResource[]>();

/** All of a map in its order; the same array for each who asks. */
export function allOf(resources: Resources): readonly EncodedResource[] {
  const known = lists.get(resources);
  if (known !== undefined) return known;
  const list = [...resources.values()];
  lists.set(resources, list);
  return list;
}

const divided = new WeakMap<readonly EncodedResource[], readonly (readonly EncodedResource[])[]>();

/** Parts of about `limit` bytes (always the same number), each of at least one resource, in order. The same parts for the same array. */
export function inParts(resources: readonly EncodedResource[], limit: number): readonly (readonly EncodedResource[])[] {
  const known = divided.get(resources);
  if (known !== undefined) return known;
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
  divided.set(resources, parts);
  return parts;
}
