import { changedNames, CLUSTER, ENDPOINTS, NO_RESOURCES, versionOf, VIRTUAL_HOST } from '../resource-set.ts';
import type { EncodedResource, Resources, TypeUrl } from '../resource-set.ts';
import { allOf, inParts, sentWhole } from './due.ts';
import type { Due } from './due.ts';
import type { Response } from './event.ts';
import { wants } from './interest.ts';
import { Sent } from './sent.ts';
import { resourcesOf, withType } from './state.ts';
import type { State, TypeState } from './state.ts';

/**
 * Size of one response, where the protocol lets it be split. A TLS connection keeps a buffer as large as its largest
 * write, so thousands of streams want small ones.
 */
const PART_BYTES = 64 * 1024;

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

/** The bookkeeping of telling the client of `told`, all or a part of what is `due` of `current`. */
export function settle(of: TypeState, current: Resources, due: Due, told: Due): Pick<TypeState, 'sent' | 'owed' | 'rejected'> {
  if (told.resources.length === 0 && told.removed.length === 0 && of.sent === Sent.NOTHING) return of;
  const all = told.resources.length === due.resources.length && told.removed.length === due.removed.length;
  const names = of.owed.size === 0 && all ? NOBODY : new Set([...told.resources.map(({ name }) => name), ...told.removed]);
  const left = all ? [] : [...due.resources.map(({ name }) => name), ...due.removed].filter((name) => !names.has(name));
  const owed = of.owed.size === 0 ? of.owed : new Set([...of.owed].filter((name) => !names.has(name)));
  const gone = new Set(told.removed.filter((name) => of.rejected.has(name)));
  const rejected = gone.size === 0 ? of.rejected : new Map([...of.rejected].filter(([name]) => !gone.has(name)));
  return { sent: of.sent.told(current, of.interest, left), owed, rejected };
}

const namesIn = new WeakMap<readonly EncodedResource[], readonly string[]>();

function namesOf(resources: readonly EncodedResource[]): readonly string[] {
  const known = namesIn.get(resources);
  if (known !== undefined) return known;
  const names = resources.map(({ name }) => name);
  namesIn.set(resources, names);
  return names;
}

const NOBODY: ReadonlySet<string> = new Set();

export function sendWhole(draft: Draft, type: TypeUrl, of: TypeState, whole: Resources): void {
  const changed = changedNames(of.full ?? NO_RESOURCES, whole);
  send(draft, type, { ...of, full: whole, answer: false }, allOf(whole), [], versionOf(whole));
  if (type === CLUSTER)
    warm(
      draft,
      changed.map((name) => whole.get(name)).filter((found) => found !== undefined),
    );
}

export function sendParts(draft: Draft, type: TypeUrl, resources: readonly EncodedResource[], removed: readonly string[]): void {
  const parts = inParts(resources, PART_BYTES);
  const version = versionLabel(draft.state, type);
  for (const [at, part] of parts.entries()) {
    const of = draft.state.types.get(type);
    if (of !== undefined) send(draft, type, of, part, at === parts.length - 1 ? removed : [], version);
  }
  const of = draft.state.types.get(type);
  if (parts.length === 0 && of !== undefined) send(draft, type, of, [], removed, version);
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
  const outstanding = [...of.outstanding, { nonce, names: sentWhole(draft.state.variant, type) ? [] : namesOf(resources) }];
  draft.state = { ...withType(draft.state, type, { ...of, outstanding, nonce }), responses };
  draft.responses.push({ type, nonce, version, resources, removed });
}

/**
 * A changed cluster warms, in Envoy, until endpoints arrive for it, changed or not (xDS protocol, "Resource warming");
 * in delta Envoy does not ask again for a name that it subscribes to already.
 */
export function warm(draft: Draft, clusters: readonly EncodedResource[]): void {
  if (clusters.length === 0) return;
  const current = resourcesOf(draft.state, ENDPOINTS);
  const endpoints = draft.state.types.get(ENDPOINTS);
  const names = clusters.map(({ name }) => name).filter((name) => current.has(name));
  if (endpoints === undefined) {
    draft.state = { ...draft.state, warming: new Set([...draft.state.warming, ...names]) };
    return;
  }
  const subscribed = names.filter((name) => wants(endpoints.interest, name));
  if (subscribed.length === 0) return;
  draft.state = withType(draft.state, ENDPOINTS, { ...endpoints, owed: new Set([...endpoints.owed, ...subscribed]) });
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
  draft.state = withType(draft.state, VIRTUAL_HOST, { ...hosts, owed: new Set([...hosts.owed, ...names]) });
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
