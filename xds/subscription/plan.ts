import { CLUSTER, ENDPOINTS, EXTENSION_CONFIG, REMOVAL_ORDER, TYPE_URLS, versionOf } from '../resource-set.ts';
import type { EncodedResource, Resources, TypeUrl } from '../resource-set.ts';
import { dueOf, inParts, keeping, sentWhole, wantedOf } from './due.ts';
import type { Due } from './due.ts';
import type { Response } from './event.ts';
import { wants } from './interest.ts';
import { ABSENT, Sent } from './sent.ts';
import { resourcesOf, withType } from './state.ts';
import type { State, TypeState } from './state.ts';

/**
 * Size of one response, where the protocol lets it be split. A TLS connection keeps a buffer as large as its largest
 * write, so thousands of streams want small ones.
 */
export const PART_BYTES = 64 * 1024;

/** What the client asked for just now, which never waits: the client may be waiting itself. */
export interface Urgent {
  readonly type: TypeUrl;
  readonly names: 'all' | ReadonlySet<string>;
}

export interface Planned {
  readonly state: State;
  readonly responses: readonly Response[];
}

/**
 * Decides what goes out now. Make before break, with acknowledgements: listeners, routes and virtual hosts wait until
 * the clusters and endpoints sent before them are acknowledged; removals wait until everything is. (Envoy subscribes to
 * the endpoints of a new cluster before it acknowledges the cluster, so that an acknowledged cluster has been warmed or
 * its endpoints are under way.) `release` sends all at once, in order, when a client does not acknowledge.
 */
export function plan(before: State, urgent: Urgent | undefined, release: boolean): Planned {
  if (before.snapshot === undefined) return { state: before, responses: [] };
  const draft: Draft = { state: { ...before, held: false }, responses: [] };
  let waits = false;
  for (const type of TYPE_URLS) {
    const of = draft.state.types.get(type);
    if (of === undefined) continue;
    const first = type === CLUSTER || type === ENDPOINTS;
    // Policy refers to nothing, and must not wait for anything.
    const independent = first || type === EXTENSION_CONFIG;
    const now: Now = release || independent || !waits ? 'all' : urgent?.type === type ? urgent.names : 'none';
    const left: boolean = sentWhole(before.variant, type) ? pushWhole(draft, type, of, now) : pushParts(draft, type, of, now);
    if (left) draft.state = { ...draft.state, held: true };
    if (first) waits ||= left || underWay(draft.state, type);
  }
  removeStale(draft, release);
  return draft;
}

interface Draft {
  state: State;
  readonly responses: Response[];
}

type Now = Urgent['names'] | 'none';

function underWay(state: State, type: TypeUrl): boolean {
  return (state.types.get(type)?.outstanding.length ?? 0) > 0;
}

/** Sends a type of which a response is always the whole. Clusters that go are kept until removals are due. True if it had to wait. */
function pushWhole(draft: Draft, type: TypeUrl, of: TypeState, now: Now): boolean {
  const wanted = wantedOf(of, resourcesOf(draft.state, type));
  const whole = type === CLUSTER ? keeping(of.full, wanted) : wanted;
  if (!of.answer && (of.full === undefined || versionOf(of.full) === versionOf(whole))) return false;
  if (now !== 'all') return true;
  sendWhole(draft, type, of, whole);
  return false;
}

function sendWhole(draft: Draft, type: TypeUrl, of: TypeState, whole: Resources): void {
  const changed = [...whole.values()].filter((resource) => of.full?.get(resource.name)?.version !== resource.version);
  send(draft, type, { ...of, full: whole, answer: false }, [...whole.values()], [], versionOf(whole));
  if (type === CLUSTER) warm(draft, changed);
}

/** Sends a type of which any part may be sent: what is due, in parts. True if something had to wait. */
function pushParts(draft: Draft, type: TypeUrl, of: TypeState, now: Now): boolean {
  const current = resourcesOf(draft.state, type);
  for (const names of of.isolate) {
    const part = names.map((name) => current.get(name)).filter((found) => found !== undefined);
    const wanted = part.filter(({ name }) => wants(of.interest, name));
    if (wanted.length === 0) continue;
    send(draft, type, typeOf(draft, type, of), wanted, [], versionLabel(draft.state, type));
    if (type === CLUSTER) warm(draft, wanted);
  }
  let latest: TypeState = { ...typeOf(draft, type, of), isolate: [] };
  const due = dueOf(latest, current);
  const allowed = (name: string): boolean => now === 'all' || (now !== 'none' && now.has(name));
  const resources = now === 'all' ? due.resources : due.resources.filter(({ name }) => allowed(name));
  // What the client never had is not taken away from it: to say so breaks nothing.
  const absent = due.removed.filter((name) => isUnknown(latest, name) && allowed(name));
  const complete = resources.length === due.resources.length && absent.length === due.removed.length;
  const silent =
    resources.length === 0 && (absent.length === 0 || draft.state.variant === 'sotw') && !(latest.answer && now === 'all');
  if (!silent) latest = { ...latest, answer: false };
  latest = { ...latest, ...settle(latest, current, { resources, removed: absent }, complete) };
  draft.state = withType(draft.state, type, latest);
  if (!silent) sendParts(draft, type, resources, draft.state.variant === 'delta' ? absent : []);
  if (type === CLUSTER) warm(draft, resources);
  return resources.length < due.resources.length;
}

function typeOf(draft: Draft, type: TypeUrl, otherwise: TypeState): TypeState {
  return draft.state.types.get(type) ?? otherwise;
}

function isUnknown(of: TypeState, name: string): boolean {
  const sent = of.sent.get(name);
  return sent === undefined || sent === ABSENT;
}

/** The bookkeeping of telling the client of `told`. */
function settle(
  of: TypeState,
  current: Resources,
  told: Due,
  complete: boolean,
): Pick<TypeState, 'sent' | 'owed' | 'planned' | 'rejected'> {
  const names = new Set([...told.resources.map(({ name }) => name), ...told.removed]);
  const owed = of.owed.size === 0 ? of.owed : new Set([...of.owed].filter((name) => !names.has(name)));
  const planned = complete ? current : names.size === 0 ? of.planned : undefined;
  const gone = new Set(told.removed.filter((name) => of.rejected.has(name)));
  const rejected = gone.size === 0 ? of.rejected : new Map([...of.rejected].filter(([name]) => !gone.has(name)));
  const all = of.sent === Sent.NOTHING && told.removed.length === 0 && told.resources.length === current.size;
  const sent = all
    ? Sent.of(current)
    : of.sent.with([
        ...told.resources.map((resource) => [resource.name, resource] as const),
        ...told.removed.map((name) => [name, of.interest.names.has(name) ? ABSENT : undefined] as const),
      ]);
  return { sent, owed, planned, rejected };
}

function sendParts(draft: Draft, type: TypeUrl, resources: readonly EncodedResource[], removed: readonly string[]): void {
  const parts = inParts(resources, PART_BYTES);
  const version = versionLabel(draft.state, type);
  for (const [at, part] of parts.entries()) {
    const of = draft.state.types.get(type);
    if (of !== undefined) send(draft, type, of, part, at === parts.length - 1 ? removed : [], version);
  }
  const of = draft.state.types.get(type);
  if (parts.length === 0 && of !== undefined) send(draft, type, of, [], removed, version);
}

/** In delta the version of a type is for people only: the snapshot's number costs nothing. */
function versionLabel(state: State, type: TypeUrl): string {
  return state.variant === 'delta' ? String(state.snapshot ?? '') : versionOf(resourcesOf(state, type));
}

function send(
  draft: Draft,
  type: TypeUrl,
  of: TypeState,
  resources: readonly EncodedResource[],
  removed: readonly string[],
  version: string,
): void {
  const responses = draft.state.responses + 1;
  const nonce = String(responses);
  const outstanding = [...of.outstanding, { nonce, names: resources.map(({ name }) => name) }];
  draft.state = { ...withType(draft.state, type, { ...of, outstanding, nonce }), responses };
  draft.responses.push({ type, nonce, version, resources, removed });
}

/**
 * A changed cluster warms, in Envoy, until endpoints arrive for it, changed or not (xDS protocol, "Resource warming");
 * in delta Envoy does not ask again for a name that it subscribes to already.
 */
function warm(draft: Draft, clusters: readonly EncodedResource[]): void {
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
 * Takes away what no longer exists, once everything else is in place. While something stands rejected, the client keeps
 * an older version of it, and what that may refer to stays as well.
 */
function removeStale(draft: Draft, release: boolean): void {
  const { state } = draft;
  const waits = !release && (state.held || TYPE_URLS.some((type) => underWay(state, type)));
  let referredTo = false;
  for (const type of REMOVAL_ORDER) {
    const of = draft.state.types.get(type);
    if (of === undefined) continue;
    if (!referredTo) removeOf(draft, type, of, waits);
    referredTo ||= (draft.state.types.get(type)?.rejected.size ?? 0) > 0;
  }
}

function removeOf(draft: Draft, type: TypeUrl, of: TypeState, waits: boolean): void {
  const current = resourcesOf(draft.state, type);
  if (sentWhole(draft.state.variant, type)) {
    const wanted = wantedOf(of, current);
    if (of.full === undefined || versionOf(of.full) === versionOf(wanted)) return;
    if (waits) draft.state = { ...draft.state, held: true };
    else sendWhole(draft, type, of, wanted);
    return;
  }
  const { resources, removed } = dueOf(of, current);
  if (removed.length === 0) return;
  if (waits) {
    draft.state = { ...draft.state, held: true };
    return;
  }
  draft.state = withType(draft.state, type, {
    ...of,
    ...settle(of, current, { resources: [], removed }, resources.length === 0),
  });
  if (draft.state.variant === 'delta') sendParts(draft, type, [], removed);
}
