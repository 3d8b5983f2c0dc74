import { changedNames, CLUSTER, ENDPOINTS, versionOf, VIRTUAL_HOST } from '../resource-set.ts';
import type { EncodedResource, Resources, TypeUrl } from '../resource-set.ts';
import { allOf, halvesOf, inParts, PART_BYTES, sentWhole } from './due.ts';
import type { Due } from './due.ts';
import type { Response } from './event.ts';
import { keep, NO_NAMES, together } from './owed.ts';
import { Sent } from './sent.ts';
import { resourcesOf, withType } from './state.ts';
import type { State, TypeState } from './state.ts';

/** A step in the making. */
export interface Draft {
  state: State;
  readonly responses: Response[];
}

export function underWay(state: State, type: TypeUrl): boolean {
  return (state.types.get(type)?.outstanding.length ?? 0) > 0;
}

export function typeOf(draft: Draft, type: TypeUrl, otherwise: TypeState): TypeState {
  return draft.state.types.get(type) ?? otherwise;
}

const stillOwed = new WeakMap<Due, WeakMap<ReadonlySet<string>, ReadonlySet<string>>>();

/** What is owed still when all that is due was told: names that are not wanted. */
function owedAfter(owed: ReadonlySet<string>, due: Due): ReadonlySet<string> {
  if (owed.size === 0) return owed;
  let after = stillOwed.get(due);
  if (after === undefined) stillOwed.set(due, (after = new WeakMap()));
  const known = after.get(owed) ?? notTold(owed, due);
  after.set(owed, known);
  return known;
}

function notTold(owed: ReadonlySet<string>, due: Due): ReadonlySet<string> {
  const told = namesToldIn(due);
  return keep(owed, (name) => !told.has(name));
}

function namesToldIn({ resources, removed }: Due): ReadonlySet<string> {
  return new Set([...namesOf(resources), ...removed]);
}

/** The bookkeeping of telling the client of `told`, all or a part of what is `due` of `current`. */
export function settle(of: TypeState, current: Resources, due: Due, told: Due): Pick<TypeState, 'sent' | 'owed' | 'rejected'> {
  if (told.resources.length === 0 && told.removed.length === 0 && of.sent === Sent.NOTHING) return of;
  const gone = of.rejected.size === 0 ? NO_NAMES : new Set(told.removed.filter((name) => of.rejected.has(name)));
  const rejected = gone.size === 0 ? of.rejected : new Map([...of.rejected].filter(([name]) => !gone.has(name)));
  if (told.resources.length === due.resources.length && told.removed.length === due.removed.length)
    return { sent: of.sent.told(current, of.interest, []), owed: owedAfter(of.owed, due), rejected };
  const names = namesToldIn(told);
  const left = [...namesOf(due.resources), ...due.removed].filter((name) => !names.has(name));
  return { sent: of.sent.told(current, of.interest, left), owed: keep(of.owed, (name) => !names.has(name)), rejected };
}

const namesIn = new WeakMap<readonly EncodedResource[], readonly string[]>();

function namesOf(resources: readonly EncodedResource[]): readonly string[] {
  const known = namesIn.get(resources);
  if (known !== undefined) return known;
  const names = resources.map(({ name }) => name);
  namesIn.set(resources, names);
  return names;
}

export function sendWhole(draft: Draft, type: TypeUrl, of: TypeState, whole: Resources): void {
  const all = allOf(whole);
  send(draft, type, { ...of, full: whole, answer: false }, all, [], versionOf(whole));
  if (type !== CLUSTER) return;
  const { full } = of;
  const changed = full && changedNames(full, whole).map((name) => whole.get(name));
  warm(draft, changed?.filter((found) => found !== undefined) ?? all);
}

export function sendParts(draft: Draft, type: TypeUrl, resources: readonly EncodedResource[], removed: readonly string[]): void {
  const of = draft.state.types.get(type);
  if (of === undefined) return;
  const parts = inParts(resources, PART_BYTES);
  if (parts.length < 2) return send(draft, type, of, parts[0] ?? [], removed, versionLabel(draft.state, type));
  const version = versionLabel(draft.state, type);
  const outstanding = [...of.outstanding];
  let { responses } = draft.state;
  for (const [at, part] of parts.entries()) {
    const nonce = String(++responses);
    // What goes together with others goes in one part.
    outstanding.push({ nonce, names: sentWhole(draft.state.variant, type) ? [] : namesOf(part), removed: [] });
    draft.responses.push({ type, nonce, version, resources: part, removed: at === parts.length - 1 ? removed : [] });
  }
  draft.state = { ...withType(draft.state, type, { ...of, outstanding, nonce: String(responses) }), responses };
}

/** As {@link sendParts}, in one response: what is exchanged for each other. */
export function sendTogether(
  draft: Draft,
  type: TypeUrl,
  resources: readonly EncodedResource[],
  removed: readonly string[],
): void {
  const of = draft.state.types.get(type);
  if (of !== undefined) send(draft, type, of, resources, removed, versionLabel(draft.state, type));
}

/** In delta the version of a type is for people only: the snapshot's number costs nothing. */
export function versionLabel(state: State, type: TypeUrl): string {
  return state.variant === 'delta' ? String(state.snapshot ?? '') : versionOf(resourcesOf(state, type));
}

export function send(
  draft: Draft,
  type: TypeUrl,
  of: TypeState,
  resources: readonly EncodedResource[],
  removed: readonly string[],
  version: string,
): void {
  const responses = draft.state.responses + 1;
  const nonce = String(responses);
  const names = sentWhole(draft.state.variant, type) ? [] : namesOf(resources);
  const outstanding = [...of.outstanding, { nonce, names, removed: type === VIRTUAL_HOST ? removed : [] }];
  draft.state = { ...withType(draft.state, type, { ...of, outstanding, nonce }), responses };
  draft.responses.push({ type, nonce, version, resources, removed });
}

/**
 * A changed cluster warms, in Envoy, until endpoints arrive for it, changed or not (xDS protocol, "Resource warming");
 * in delta Envoy does not ask again for a name that it subscribes to already.
 */
export function warm(draft: Draft, clusters: readonly EncodedResource[]): void {
  if (clusters.length === 0) return;
  const names = withEndpoints(clusters, resourcesOf(draft.state, ENDPOINTS));
  const endpoints = draft.state.types.get(ENDPOINTS);
  if (endpoints === undefined) {
    draft.state = { ...draft.state, warming: together(draft.state.warming, names) };
    return;
  }
  const { wildcard, names: asked } = endpoints.interest;
  const subscribed = wildcard === 'none' ? names.filter((name) => asked.has(name)) : names;
  if (subscribed.length === 0) return;
  draft.state = withType(draft.state, ENDPOINTS, { ...endpoints, owed: together(endpoints.owed, subscribed) });
}

const endpointsOf = new WeakMap<readonly EncodedResource[], WeakMap<Resources, readonly string[]>>();

/** The names of clusters that have endpoints; the same array for the same clusters, and for proxies whose own have none. */
function withEndpoints(clusters: readonly EncodedResource[], current: Resources): readonly string[] {
  let among = endpointsOf.get(clusters);
  if (among === undefined) endpointsOf.set(clusters, (among = new WeakMap()));
  const known = among.get(current);
  if (known !== undefined) return known;
  const halves = halvesOf(clusters)?.map((half) => withEndpoints(half, current));
  const found = halves?.filter((half) => half.length > 0) ?? [
    clusters.map(({ name }) => name).filter((name) => current.has(name)),
  ];
  const [first = [], ...more] = found;
  const names = more.length === 0 ? first : found.flat();
  among.set(current, names);
  return names;
}

/**
 * Routes that were sent have their virtual hosts sent after them, changed or not: Envoy drops those of routes that it does not know (yet), and
 * does not ask for them.
 */
export function oweHosts(draft: Draft, routes: readonly EncodedResource[]): void {
  const hosts = draft.state.types.get(VIRTUAL_HOST);
  if (routes.length === 0 || hosts === undefined || draft.state.variant === 'sotw') return;
  const owners = new Set(routes.map(({ name }) => name));
  const byOwner = hostsByOwner(resourcesOf(draft.state, VIRTUAL_HOST));
  const names = [...owners].flatMap((owner) => byOwner.get(owner) ?? []);
  if (names.length === 0) return;
  draft.state = withType(draft.state, VIRTUAL_HOST, { ...hosts, owed: together(hosts.owed, names) });
}

const owned = new WeakMap<Resources, ReadonlyMap<string, readonly string[]>>();

/** Names of virtual hosts (`ROUTES/HOST`) by their routes. */
function hostsByOwner(hosts: Resources): ReadonlyMap<string, readonly string[]> {
  const known = owned.get(hosts);
  if (known !== undefined) return known;
  const byOwner = new Map<string, string[]>();
  for (const name of hosts.keys()) {
    const owner = name.slice(0, name.lastIndexOf('/'));
    const names = byOwner.get(owner);
    if (names === undefined) byOwner.set(owner, [name]);
    else names.push(name);
  }
  owned.set(hosts, byOwner);
  return byOwner;
}
