import { Joined } from '../joined.ts';
import { changedNames, CLUSTER, LISTENER } from '../resource-set.ts';
import type { EncodedResource, Resources, TypeUrl } from '../resource-set.ts';
import { ByIdentity } from './by-identity.ts';
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

const NOTHING_DUE: Due = Object.freeze({ resources: Object.freeze([]), removed: Object.freeze([]) });
const ofMap = new WeakMap<Resources, ByIdentity<Due>>();

/** Compares what a client should have with what it has been sent. The same object for each who should have, asked for and was sent the same. */
export function dueOf(of: TypeState, current: Resources): Due {
  const { sent, interest, owed } = of;
  if (owed.size === 0 && sent.isAllOf(current)) return NOTHING_DUE;
  let known = ofMap.get(current);
  if (known === undefined) ofMap.set(current, (known = new ByIdentity()));
  return known.of(sent, interest, owed, () => compare(of, current));
}

function compare(of: Pick<TypeState, 'sent' | 'interest' | 'owed'>, current: Resources): Due {
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

/**
 * Size of one response, where the protocol lets it be split: each costs the same work whatever is in it, and others wait while it is written.
 */
export const PART_BYTES = 256 * 1024;

const lists = new WeakMap<Resources, readonly EncodedResource[]>();
const halves = new WeakMap<readonly EncodedResource[], readonly (readonly EncodedResource[])[]>();

/** All of a map in its order; the same array for each who asks. */
export function allOf(resources: Resources): readonly EncodedResource[] {
  const known = lists.get(resources);
  if (known !== undefined) return known;
  const made = resources instanceof Joined ? [allOf(resources.shared), allOf(resources.own)] : undefined;
  const list = made?.flat() ?? [...resources.values()];
  if (made !== undefined) halves.set(list, made);
  lists.set(resources, list);
  return list;
}

/** Of all that one proxy has: what it shares with others, and its own. */
export function halvesOf(list: readonly EncodedResource[]): readonly (readonly EncodedResource[])[] | undefined {
  return halves.get(list);
}

type Part = readonly EncodedResource[];

const divided = new WeakMap<readonly EncodedResource[], readonly Part[]>();
/** Parts by their first resource. */
const parts = new WeakMap<EncodedResource, Part>();

/**
 * Parts of at most about `limit` bytes (always the same number), each of at least one resource, in order. The same parts for the same array, and
 * the same arrays for the same parts of different lists, as different views have them: a part may end where the hash of its last resource says so,
 * so that lists which differ in a few places differ in a few parts. What proxies have alone is in parts of its own.
 */
export function inParts(resources: readonly EncodedResource[], limit: number): readonly Part[] {
  const known = divided.get(resources);
  if (known !== undefined) return known;
  const made = halvesOf(resources)?.flatMap((half) => inParts(half, limit)) ?? divide(resources, limit);
  divided.set(resources, made);
  return made;
}

function divide(resources: readonly EncodedResource[], limit: number): readonly Part[] {
  const made: Part[] = [];
  let part: EncodedResource[] = [];
  let size = 0;
  const end = (): void => {
    if (part.length > 0) made.push(interned(part));
    part = [];
    size = 0;
  };
  for (const resource of resources) {
    const bytes = resource.any.byteLength + resource.name.length + 48;
    if (size + bytes > limit) end();
    part.push(resource);
    size += bytes;
    if (size > limit / 2 && resource.version.startsWith(MAY_END)) end();
  }
  end();
  return made;
}

/** One of sixteen versions. */
const MAY_END = '0';

function interned(part: Part): Part {
  const [first] = part;
  const known = first === undefined ? undefined : parts.get(first);
  if (known?.length === part.length && known.every((resource, at) => resource === part[at])) return known;
  if (first !== undefined) parts.set(first, part);
  divided.set(part, [part]);
  return part;
}
