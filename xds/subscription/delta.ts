import { ENDPOINTS } from '../resource-set.ts';
import { acknowledge } from './acknowledge.ts';
import type { DeltaRequest, Report } from './event.ts';
import { amendInterest } from './interest.ts';
import type { InterestChange } from './interest.ts';
import { keep, NO_NAMES, setOf, together } from './owed.ts';
import type { Urgent } from './plan.ts';
import { Sent } from './sent.ts';
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
  const next = amend(of, change);
  const urgent: Urgent | undefined = change.beganWildcard
    ? { type, names: 'all' }
    : change.asked.length > 0
      ? { type, names: setOf(change.asked) }
      : undefined;
  return { state: withType(state, type, next), urgent, reports };
}

/** The first request of a type in a stream: what the client brings along from an earlier stream is believed, save where a cluster warms. */
function takeFirst(state: State, request: DeltaRequest): Taken {
  const { type } = request;
  const { interest } = amendInterest(type, undefined, request.subscribe, request.unsubscribe);
  const brought = request.initialVersions;
  const asked = setOf(request.subscribe);
  const warming = type === ENDPOINTS ? keep(asked, (name) => state.warming.has(name)) : NO_NAMES;
  const of: TypeState = {
    ...NEW_TYPE,
    interest,
    sent: Sent.brought(resourcesOf(state, type), interest, brought),
    owed: warming,
    answer: interest.wildcard !== 'none',
  };
  const next = withType(state, type, of);
  return {
    state: type === ENDPOINTS ? { ...next, warming: NO_NAMES } : next,
    // Who comes back with resources is served meanwhile, and can wait for the right order.
    urgent: brought.size === 0 ? { type, names: 'all' } : undefined,
    reports: [],
  };
}

/** Names dropped while all are wanted are owed: the client must learn whether the wildcard still covers them. Others are forgotten. */
function amend(of: TypeState, { interest, asked, dropped, endedWildcard }: InterestChange): TypeState {
  const sent = of.sent.amended(interest, asked);
  const owed = together(of.owed, asked);
  if (interest.wildcard !== 'none') return { ...of, interest, sent, owed: together(owed, dropped) };
  if (dropped.length === 0 && !endedWildcard) return { ...of, interest, sent, owed };
  const wanted = (name: string): boolean => interest.names.has(name);
  const rejected = new Map([...of.rejected].filter(([name]) => wanted(name)));
  return { ...of, interest, sent, owed: keep(owed, wanted), rejected };
}
