import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { ROOTS } from '../../routing/tls/secrets.ts';
import type { TypeUrl } from '../resource-set.ts';
import { sentWhole } from '../subscription/due.ts';
import type { Variant } from '../subscription/event.ts';
import { wants } from '../subscription/interest.ts';
import { type SentCounts, type Traffic, type TypeTraffic } from './traffic.ts';
import { type State, type TypeState, WHOLE_TYPE } from '../subscription/state.ts';

export interface RejectedResource {
  readonly typeUrl: TypeUrl;
  /** Absent where the proxy refused a whole type and its message names no resource of it (SotW). */
  readonly name?: string;
  /** The proxy's own words, cut to 2,000 characters. */
  readonly message: string;
}

export interface SubscriptionStatus extends TypeTraffic {
  readonly typeUrl: TypeUrl;
  readonly wildcard: boolean;
  /** Names subscribed to by name. */
  readonly names: number;
  /** Responses that the proxy has neither accepted nor refused yet. */
  readonly outstanding: number;
}

/** How far a stream is with the trust bundle. */
export type TrustBundleStatus =
  /** It verifies no peer, so it has asked for no roots; once it does it is told the current ones. */
  | { readonly kind: 'unused' }
  /** Nothing was sent yet, or the last that was sent has no answer yet. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'accepted'; readonly version: string }
  | { readonly kind: 'rejected'; readonly message: string };

/** One connected stream, as it is at the moment of asking. */
export interface StreamStatus {
  readonly node: string;
  /** Undefined where it came in plain text, and proved none. */
  readonly identity: SpiffeId | undefined;
  readonly variant: Variant;
  /** An agent follows the trust bundle and nothing else; its `acknowledged` stays 0. */
  readonly kind: 'proxy' | 'agent';
  readonly connectedAt: Date;
  /** The last snapshot that was wholly answered, by ACK or NACK, or that changed nothing for this proxy; 0 before the first. */
  readonly acknowledged: number;
  /** The last snapshot of which it has accepted everything; 0 before the first. */
  readonly accepted: number;
  /** When the first change was published that this proxy has not wholly answered; undefined when it has answered all. */
  readonly waitingSince: Date | undefined;
  /** False while the pod is in no snapshot, and nothing is sent. */
  readonly known: boolean;
  readonly trustBundle: TrustBundleStatus;
  readonly rejected: readonly RejectedResource[];
  readonly subscriptions: readonly SubscriptionStatus[];
  readonly sent: SentCounts;
}

/** What stands rejected, with names as far as they can be known. */
export function rejectedResources(state: State): readonly RejectedResource[] {
  return [...state.types].flatMap(([typeUrl, of]) =>
    [...of.rejected].flatMap(([name, { detail: message }]): readonly RejectedResource[] => {
      if (name !== WHOLE_TYPE || !sentWhole(state.variant, typeUrl)) return [{ typeUrl, name, message }];
      const named = namedIn(message, of.full?.keys() ?? []);
      return named.length === 0 ? [{ typeUrl, message }] : named.map((guilty) => ({ typeUrl, name: guilty, message }));
    }),
  );
}

/** Envoy's words on whole types are `Error adding/updating listener(s) NAME: why, NAME: why`. */
export function namedIn(message: string, names: Iterable<string>): readonly string[] {
  return [...names].filter((name) => message.includes(`${name}: `));
}

export function subscriptions(types: ReadonlyMap<TypeUrl, TypeState>, traffic: Traffic): readonly SubscriptionStatus[] {
  return [...types].map(([typeUrl, { interest, outstanding }]) => ({
    typeUrl,
    wildcard: interest.wildcard !== 'none',
    names: interest.names.size,
    outstanding: outstanding.length,
    ...traffic.of(typeUrl),
  }));
}

/** What a stream has answered about its trust bundle. `version` is what {@link PublishedBundle} calls it. */
export function trustBundle(of: TypeState | undefined): TrustBundleStatus {
  if (of === undefined || !wants(of.interest, ROOTS)) return { kind: 'unused' };
  if (of.isolate.length > 0 || of.outstanding.some(({ names }) => names.includes(ROOTS))) return { kind: 'pending' };
  const refusal = of.rejected.get(ROOTS);
  if (refusal !== undefined) return { kind: 'rejected', message: refusal.detail };
  const version = of.sent.get(ROOTS)?.version;
  return version === undefined || version === '' ? { kind: 'pending' } : { kind: 'accepted', version };
}
