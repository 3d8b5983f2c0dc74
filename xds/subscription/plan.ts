import { CLUSTER, ENDPOINTS, EXTENSION_CONFIG, ROUTES, SECRET, TYPE_URLS, VIRTUAL_HOST } from '../resource-set.ts';
import type { Resources, TypeUrl } from '../resource-set.ts';
import {
  type Draft,
  oweHosts,
  send,
  sendParts,
  sendTogether,
  sendWhole,
  settle,
  typeOf,
  underWay,
  versionLabel,
  warm,
} from './draft.ts';
import { dueOf, keeping, sameContent, sentWhole, wantedOf } from './due.ts';
import type { Response } from './event.ts';
import { wants } from './interest.ts';
import { keep, together as withThese } from './owed.ts';
import { removeStale } from './removal.ts';
import { ABSENT, Sent } from './sent.ts';
import { resourcesOf, withType } from './state.ts';
import type { State, TypeState } from './state.ts';

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
    // Policy and trust refer to nothing, and must not wait for anything.
    const independent = first || type === EXTENSION_CONFIG || type === SECRET;
    const now: Now = release || independent || !waits ? 'all' : urgent?.type === type ? urgent.names : 'none';
    const left: boolean = sentWhole(before.variant, type) ? pushWhole(draft, type, of, now) : pushParts(draft, type, of, now);
    if (left) draft.state = { ...draft.state, held: true };
    if (first) waits ||= left || underWay(draft.state, type);
  }
  removeStale(draft, release);
  return draft;
}

type Now = Urgent['names'] | 'none';

/** Sends a type of which a response is always the whole. Clusters that go are kept until removals are due. True if it had to wait. */
function pushWhole(draft: Draft, type: TypeUrl, of: TypeState, now: Now): boolean {
  const wanted = wantedOf(of, resourcesOf(draft.state, type));
  const whole = type === CLUSTER ? keeping(of.full, wanted) : wanted;
  if (!of.answer && (of.full === undefined || sameContent(of.full, whole))) return false;
  if (now !== 'all') return true;
  sendWhole(draft, type, of, whole);
  return false;
}

/** Sends a type of which any part may be sent: what is due, in parts. True if something had to wait. */
function pushParts(draft: Draft, type: TypeUrl, of: TypeState, now: Now): boolean {
  const current = resourcesOf(draft.state, type);
  if (of.sent.isAllOf(current) && of.owed.size === 0 && of.isolate.length === 0 && !of.answer) return false;
  const isolated = sendIsolated(draft, type, of, current);
  const after = typeOf(draft, type, of);
  const owed = isolated.size === 0 ? after.owed : keep(after.owed, (name) => !isolated.has(name));
  let latest: TypeState = { ...after, owed, isolate: [] };
  const due = dueOf(withRejected(latest, type, current), current);
  const allowed = (name: string): boolean => now === 'all' || (now !== 'none' && now.has(name));
  const resources = now === 'all' ? due.resources : due.resources.filter(({ name }) => allowed(name));
  // What the client never had is not taken away from it: to say so breaks nothing. A virtual host goes with what comes in its place: Envoy
  // refuses one whose domain another still has, and as long as clusters are in place nothing is missed that its routes would still have.
  const together = type === VIRTUAL_HOST && draft.state.variant === 'delta' && latest.sent !== Sent.NOTHING;
  const absent = due.removed.filter((name) => (together ? now === 'all' : isUnknown(latest, name)) && allowed(name));
  const silent =
    resources.length === 0 && (absent.length === 0 || draft.state.variant === 'sotw') && !(latest.answer && now === 'all');
  if (!silent) latest = { ...latest, answer: false };
  latest = { ...latest, ...settle(latest, current, due, { resources, removed: absent }) };
  draft.state = withType(draft.state, type, latest);
  if (!silent && together) sendTogether(draft, type, resources, absent);
  else if (!silent) sendParts(draft, type, resources, draft.state.variant === 'delta' ? absent : []);
  if (type === CLUSTER) warm(draft, resources);
  if (type === ROUTES) oweHosts(draft, resources);
  return resources.length < due.resources.length;
}

/**
 * Virtual hosts stand in each other's way by their domains: with one that changes, several that were rejected go once more, in one response. One alone
 * waits until it changes itself.
 */
function withRejected(of: TypeState, type: TypeUrl, current: Resources): TypeState {
  if (type !== VIRTUAL_HOST || of.rejected.size < 2) return of;
  const { resources, removed } = dueOf(of, current);
  return resources.length + removed.length === 0 ? of : { ...of, owed: withThese(of.owed, [...of.rejected.keys()]) };
}

/** Sends again, in their parts, what was rejected together. What has changed since is due in any case. */
function sendIsolated(draft: Draft, type: TypeUrl, of: TypeState, current: Resources): ReadonlySet<string> {
  const isolated = new Set<string>();
  for (const { names, removed } of of.isolate) {
    const part = names
      .map((name) => current.get(name))
      .filter((found) => found !== undefined)
      .filter(({ name, version }) => wants(of.interest, name) && of.sent.get(name)?.version === version && !isolated.has(name));
    if (part.length === 0) continue;
    for (const { name } of part) isolated.add(name);
    const going = removed.filter((name) => !current.has(name));
    send(draft, type, typeOf(draft, type, of), part, going, versionLabel(draft.state, type));
    if (type === CLUSTER) warm(draft, part);
    if (type === ROUTES) oweHosts(draft, part);
  }
  return isolated;
}

function isUnknown(of: TypeState, name: string): boolean {
  const sent = of.sent.get(name);
  return sent === undefined || sent === ABSENT;
}
