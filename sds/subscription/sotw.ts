import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { type EncodedSecret, SECRET_TYPE } from '../secret/secret.ts';
import type { SecretView } from '../secret/store.ts';
import { namesReason, type Notice, type Outcome, peerText } from './notice.ts';

/** One StreamSecrets stream. Pure: events in, next state and response out. */
export interface SotwState {
  /** Undefined before the first request; `all` when that named nothing, as SPIRE's server takes it. */
  readonly subscribed: ReadonlySet<string> | 'all' | undefined;
  /** Number of the last response; its nonce. 0 before any. */
  readonly sent: number;
  /** Version of the last response, over all its secrets. */
  readonly version: string | undefined;
  /** Unknown names already reported. */
  readonly reported: ReadonlySet<string>;
}

export const NEW_SOTW: SotwState = { subscribed: undefined, sent: 0, version: undefined, reported: new Set() };

type SotwOutcome = Outcome<SotwState, DiscoveryResponse>;

/** A request arrived: a subscription, a changed subscription, an ACK or a NACK. */
export function sotwRequest(state: SotwState, request: DiscoveryRequest, view: SecretView): SotwOutcome {
  const refusal = requestReason(request);
  if (refusal !== undefined) return { kind: 'refuse', reason: refusal };
  const first = request.responseNonce === '';
  if (!first && request.responseNonce !== String(state.sent)) return { kind: 'next', state, notices: [{ kind: 'stale' }] };
  const notices: Notice[] = [];
  if (request.errorDetail !== undefined) notices.push({ kind: 'nack', reason: peerText(request.errorDetail.message) });
  else if (!first) notices.push({ kind: 'ack', version: request.versionInfo });

  const subscribed = subscription(state, request.resourceNames);
  const added = first || gained(state.subscribed, subscribed);
  const unknown = absent(subscribed, view).filter((name) => !state.reported.has(name));
  if (unknown.length > 0) notices.push({ kind: 'unknown', names: unknown });
  // What was last sent says nothing about a set of names that has grown since.
  const version = added ? undefined : state.version;
  const next = { ...state, subscribed, version, reported: new Set([...state.reported, ...unknown]) };
  // A NACK alone is not answered: the same bytes would be refused again. The next rotation is pushed as always.
  return added ? respond(next, view, notices, true) : { kind: 'next', state: next, notices };
}

/** A secret changed. */
export function sotwChange(state: SotwState, view: SecretView): SotwOutcome {
  if (state.subscribed === undefined) return { kind: 'next', state, notices: [] };
  return respond(state, view, [], false);
}

/** All present secrets of a set of names, as one response: what FetchSecrets answers, too. */
export function sotwResponse(secrets: readonly EncodedSecret[], nonce: string): DiscoveryResponse {
  return create(DiscoveryResponseSchema, {
    versionInfo: versionOf(secrets),
    resources: secrets.map((secret) => secret.any),
    typeUrl: SECRET_TYPE,
    nonce,
  });
}

/** The names that a request for `names` means, and the secrets there are under them. */
export function present(subscribed: ReadonlySet<string> | 'all', view: SecretView): readonly EncodedSecret[] {
  return meant(subscribed, view).flatMap((name) => {
    const found = view.lookup(name);
    return found.kind === 'present' ? [found.secret] : [];
  });
}

/** Why a request cannot be served at all; undefined when it can. */
export function requestReason(request: DiscoveryRequest): string | undefined {
  if (request.typeUrl !== '' && request.typeUrl !== SECRET_TYPE) return 'this service has secrets only';
  if (request.resourceLocators.length > 0) return 'resource locators are not supported';
  return namesReason(request.resourceNames);
}

function respond(state: SotwState, view: SecretView, notices: readonly Notice[], asked: boolean): SotwOutcome {
  const subscribed = state.subscribed ?? 'all';
  const secrets = present(subscribed, view);
  const pending = meant(subscribed, view).some((name) => view.lookup(name).kind === 'pending');
  // Nothing yet, but something to come: the answer is held. Envoy counts an empty answer as an error.
  if (secrets.length === 0 && (pending || !asked)) return { kind: 'next', state, notices };
  if (!asked && versionOf(secrets) === state.version) return { kind: 'next', state, notices };
  const sent = state.sent + 1;
  const response = sotwResponse(secrets, String(sent));
  return { kind: 'next', state: { ...state, sent, version: response.versionInfo }, response, notices };
}

function subscription(state: SotwState, names: readonly string[]): ReadonlySet<string> | 'all' {
  if (names.length > 0) return new Set(names);
  // Empty means everything only until names were given once; after that it means nothing any more.
  return state.subscribed === undefined || state.subscribed === 'all' ? 'all' : new Set();
}

function gained(before: SotwState['subscribed'], after: ReadonlySet<string> | 'all'): boolean {
  if (before === undefined) return true;
  if (before === 'all') return false;
  return after === 'all' || [...after].some((name) => !before.has(name));
}

function meant(subscribed: ReadonlySet<string> | 'all', view: SecretView): readonly string[] {
  return subscribed === 'all' ? view.names() : [...subscribed];
}

function absent(subscribed: ReadonlySet<string> | 'all', view: SecretView): readonly string[] {
  return meant(subscribed, view).filter((name) => view.lookup(name).kind === 'absent');
}

function versionOf(secrets: readonly EncodedSecret[]): string {
  const [first] = secrets;
  if (first !== undefined && secrets.length === 1) return first.version;
  return createHash('sha256')
    .update(secrets.map((secret) => `${secret.name}=${secret.version}`).join(';'))
    .digest('hex')
    .slice(0, 16);
}
