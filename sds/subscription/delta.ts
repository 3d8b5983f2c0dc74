import { create } from '@bufbuild/protobuf';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  ResourceSchema,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { SECRET_TYPE } from '../secret/secret.ts';
import type { SecretView } from '../secret/store.ts';
import { namesReason, type Notice, type Outcome, peerText } from './notice.ts';

/** One DeltaSecrets stream. Pure: events in, next state and response out. */
export interface DeltaState {
  readonly started: boolean;
  readonly wildcard: boolean;
  readonly subscribed: ReadonlySet<string>;
  /** What the client was sent, or said it has: name to version; REMOVED once it was told that there is none. */
  readonly known: ReadonlyMap<string, string>;
  /** Number of the last response; its nonce. 0 before any. */
  readonly sent: number;
}

export const NEW_DELTA: DeltaState = { started: false, wildcard: false, subscribed: new Set(), known: new Map(), sent: 0 };

/** Never a version: those are hexadecimal. */
const REMOVED = 'removed';
const WILDCARD = '*';

type DeltaOutcome = Outcome<DeltaState, DeltaDiscoveryResponse>;

/** A request arrived: any mix of subscriptions, unsubscriptions and an ACK or a NACK. */
export function deltaRequest(state: DeltaState, request: DeltaDiscoveryRequest, view: SecretView): DeltaOutcome {
  const refusal = requestReason(request);
  if (refusal !== undefined) return { kind: 'refuse', reason: refusal };
  const notices: Notice[] = [];
  if (request.errorDetail !== undefined) notices.push({ kind: 'nack', reason: peerText(request.errorDetail.message) });
  else if (request.responseNonce !== '') notices.push({ kind: 'ack', version: request.responseNonce });

  const subscribed = new Set(state.subscribed);
  const known = new Map(state.known);
  let { wildcard } = state;
  if (!state.started) {
    wildcard = request.resourceNamesSubscribe.length === 0;
    for (const [name, version] of Object.entries(request.initialResourceVersions)) known.set(name, version);
  }
  for (const name of request.resourceNamesUnsubscribe) {
    if (name === WILDCARD) wildcard = false;
    subscribed.delete(name);
    known.delete(name);
  }
  for (const name of request.resourceNamesSubscribe) {
    if (name === WILDCARD) wildcard = true;
    else subscribed.add(name);
    // Subscribing again asks for the resource again, save on a new stream, where the client says what it kept.
    if (state.started || known.get(name) === REMOVED) known.delete(name);
  }
  if (subscribed.size > MOST_SUBSCRIBED) return { kind: 'refuse', reason: `more than ${MOST_SUBSCRIBED} names` };
  return respond({ ...state, started: true, wildcard, subscribed, known }, view, notices);
}

/** A secret changed. */
export function deltaChange(state: DeltaState, view: SecretView): DeltaOutcome {
  return state.started ? respond(state, view, []) : { kind: 'next', state, notices: [] };
}

const MOST_SUBSCRIBED = 1000;

function requestReason(request: DeltaDiscoveryRequest): string | undefined {
  if (request.typeUrl !== '' && request.typeUrl !== SECRET_TYPE) return 'this service has secrets only';
  if (request.resourceLocatorsSubscribe.length + request.resourceLocatorsUnsubscribe.length > 0)
    return 'resource locators are not supported';
  return (
    namesReason(request.resourceNamesSubscribe) ??
    namesReason(request.resourceNamesUnsubscribe) ??
    namesReason(Object.keys(request.initialResourceVersions))
  );
}

function respond(state: DeltaState, view: SecretView, notices: readonly Notice[]): DeltaOutcome {
  const known = new Map(state.known);
  const removed: string[] = [];
  const resources = [];
  const names = new Set([...state.subscribed, ...(state.wildcard ? view.names() : [])]);
  for (const name of names) {
    const found = view.lookup(name);
    if (found.kind === 'present' && known.get(name) !== found.secret.version) {
      resources.push(create(ResourceSchema, { name, version: found.secret.version, resource: found.secret.any }));
      known.set(name, found.secret.version);
    } else if (found.kind === 'absent' && known.get(name) !== REMOVED) {
      removed.push(name);
      known.set(name, REMOVED);
    }
  }
  const all: readonly Notice[] = removed.length === 0 ? notices : [...notices, { kind: 'unknown', names: removed }];
  if (resources.length === 0 && removed.length === 0) return { kind: 'next', state, notices: all };
  const sent = state.sent + 1;
  const response = create(DeltaDiscoveryResponseSchema, {
    systemVersionInfo: String(sent),
    typeUrl: SECRET_TYPE,
    nonce: String(sent),
    resources,
    removedResources: removed,
  });
  return { kind: 'next', state: { ...state, known, sent }, response, notices: all };
}
