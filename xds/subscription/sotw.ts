import { ENDPOINTS, type Resources, versionOf } from '../resource-set.ts';
import { acknowledge } from './acknowledge.ts';
import type { Taken } from './delta.ts';
import { sentWhole, wantedOf } from './due.ts';
import type { SotwRequest } from './event.ts';
import { type Interest, replaceInterest } from './interest.ts';
import { keep, NO_NAMES, setOf, together } from './owed.ts';
import { NEW_TYPE, resourcesOf, withType } from './state.ts';
import type { State, TypeState } from './state.ts';

/** Takes one state-of-the-world request into the state: its acknowledgement and its names. Sending is for `plan`. */
export function takeSotwRequest(state: State, request: SotwRequest): Taken {
  const { type, nonce } = request;
  const known = state.types.get(type);
  if (known === undefined) return takeFirst(state, request);
  const { of, reports, matched } = acknowledge('sotw', type, known, nonce, request.error);
  // A request made before a later response was seen says nothing on names: one that names the later nonce follows.
  if (nonce !== '' && known.nonce !== '' && nonce !== known.nonce) {
    return matched
      ? { state: withType(state, type, of), urgent: undefined, reports }
      : { state, urgent: undefined, reports: [{ kind: 'stale', type, nonce }] };
  }
  const change = replaceInterest(type, known.interest, request.names);
  const { interest } = change;
  const lost = setOf(interest.wildcard === 'none' ? change.dropped : []);
  const asked = setOf(change.asked);
  // Neither an answer nor a change: the client asks again, for something that warms.
  const again =
    !matched && request.error === undefined && asked.size === 0 && change.dropped.length === 0 && !change.beganWildcard;
  const more = again && !sentWhole('sotw', type) ? namesOfAll(interest, resourcesOf(state, type)) : change.asked;
  const next: TypeState = {
    ...of,
    interest,
    answer: of.answer || again || (asked.size > 0 && sentWhole('sotw', type)),
    owed: together(
      keep(of.owed, (name) => !lost.has(name)),
      more,
    ),
    sent: of.sent.amended(interest, change.asked),
    rejected: lost.size === 0 ? of.rejected : new Map([...of.rejected].filter(([name]) => !lost.has(name))),
  };
  const urgent =
    again || change.beganWildcard
      ? ({ type, names: 'all' } as const)
      : asked.size > 0
        ? { type, names: whole(type, asked) }
        : undefined;
  return { state: withType(state, type, next), urgent, reports };
}

function namesOfAll({ wildcard, names }: Interest, resources: Resources): readonly string[] {
  return [...(wildcard === 'none' ? names : resources.keys())];
}

function whole(type: SotwRequest['type'], asked: ReadonlySet<string>): 'all' | ReadonlySet<string> {
  return sentWhole('sotw', type) ? 'all' : asked;
}

/** The first request of a type in a stream. A version from an earlier stream is believed where it stands for a whole type. */
function takeFirst(state: State, request: SotwRequest): Taken {
  const { type } = request;
  const { interest } = replaceInterest(type, undefined, request.names);
  const empty: TypeState = { ...NEW_TYPE, interest };
  const wanted = sentWhole('sotw', type) && request.version !== '' ? wantedOf(empty, resourcesOf(state, type)) : undefined;
  const kept = wanted !== undefined && request.version === versionOf(wanted);
  const asks = interest.wildcard !== 'none' || interest.names.size > 0;
  const next = withType(state, type, kept ? { ...empty, full: wanted } : { ...empty, answer: asks });
  return {
    state: type === ENDPOINTS ? { ...next, warming: NO_NAMES } : next,
    urgent: request.version === '' ? { type, names: 'all' } : undefined,
    reports: [],
  };
}
