import { ENDPOINTS } from '../resource-set.ts';
import type { Resources } from '../resource-set.ts';
import { acknowledge } from './acknowledge.ts';
import type { DeltaRequest, Report } from './event.ts';
import { amendInterest } from './interest.ts';
import type { InterestChange } from './interest.ts';
import type { Urgent } from './plan.ts';
import { Sent } from './sent.ts';
import type { Versioned } from './sent.ts';
import { NEW_TYPE, resourcesOf, withType } from './state.ts';
import type { State, TypeState } from './state.ts';

export interface Taken {
  readonly state: State;
  readonly urgent: Urgent | undefined;
  readonly reports: readonly Report[];
}

/** Takes one delta request into the state: its acknowledgement and its subscriptions. Sending is for `plan`. */
export function takeDeltaRequest(state: State, request: DeltaRequest): Taken {
  const { type } = request;
  const known = state.types.get(type);
  if (known === undefined) return takeFirst(state, request);
  const { of, reports } = acknowledge('delta', type, known, request.nonce, request.error);
  const change = amendInterest(type, known.interest, request.subscribe, request.unsubscribe);
  const next = forget({ ...of, interest: change.interest, owed: new Set([...of.owed, ...change.asked]) }, change);
  const urgent: Urgent | undefined = change.beganWildcard
    ? { type, names: 'all' }
    : change.asked.length > 0
      ? { type, names: new Set(change.asked) }
      : undefined;
  return { state: withType(state, type, next), urgent, reports };
}

/** The first request of a type in a stream: what the client brings along from an earlier stream is believed, save where a cluster warms. */
function takeFirst(state: State, request: DeltaRequest): Taken {
  const { type } = request;
  const { interest } = amendInterest(type, undefined, request.subscribe, request.unsubscribe);
  const brought = Object.entries(request.initialVersions);
  const warming = type === ENDPOINTS ? request.subscribe.filter((name) => state.warming.has(name)) : [];
  const of: TypeState = {
    ...NEW_TYPE,
    interest,
    sent: brought.length === 0 ? Sent.NOTHING : Sent.of(intern(brought, resourcesOf(state, type))),
    owed: new Set(warming),
    answer: interest.wildcard !== 'none',
  };
  const next = withType(state, type, of);
  return {
    state: type === ENDPOINTS ? { ...next, warming: new Set() } : next,
    // Who comes back with resources is served meanwhile, and can wait for the right order.
    urgent: brought.length === 0 ? { type, names: 'all' } : undefined,
    reports: [],
  };
}

/** Shares the resource instead of keeping the client's strings, wherever they say the same. */
function intern(brought: readonly (readonly [string, string])[], current: Resources): Map<string, Versioned> {
  return new Map(
    brought.map(([name, version]) => {
      const resource = current.get(name);
      return resource?.version === version ? [resource.name, resource] : [name, { version }];
    }),
  );
}

/** Names dropped while all are wanted are owed: the client must learn whether the wildcard still covers them. Others are forgotten. */
function forget(of: TypeState, change: InterestChange): TypeState {
  const all = change.interest.wildcard !== 'none';
  const planned = change.beganWildcard || change.endedWildcard ? undefined : of.planned;
  if (all) return { ...of, planned, owed: new Set([...of.owed, ...change.dropped]) };
  const { names } = change.interest;
  const lost = change.endedWildcard
    ? [...of.sent.entries()].map(([name]) => name).filter((name) => !names.has(name))
    : change.dropped;
  if (lost.length === 0) return { ...of, planned };
  const rejected = new Map(of.rejected);
  for (const name of lost) rejected.delete(name);
  const owed = new Set([...of.owed].filter((name) => names.has(name)));
  return { ...of, planned, owed, rejected, sent: of.sent.with(lost.map((name) => [name, undefined] as const)) };
}
