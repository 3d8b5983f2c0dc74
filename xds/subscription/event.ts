import type { EncodedResource, ResourceSet, TypeUrl } from '../resource-set.ts';

/** Which of the two protocol variants a stream speaks. It never changes within a stream. */
export type Variant = 'sotw' | 'delta';

/** A DiscoveryRequest, as far as it matters here. `error` is present in a NACK. */
export interface SotwRequest {
  readonly kind: 'sotw-request';
  readonly type: TypeUrl;
  readonly names: readonly string[];
  readonly version: string;
  readonly nonce: string;
  readonly error?: string;
}

/** Versions by name. As much of a Map as is needed: there are thousands, and they are walked through once. */
export interface BroughtVersions {
  readonly size: number;
  forEach(visit: (version: string, name: string) => void): void;
}

/** A DeltaDiscoveryRequest, as far as it matters here. */
export interface DeltaRequest {
  readonly kind: 'delta-request';
  readonly type: TypeUrl;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What the client kept from an earlier stream; read in the first request of a type only. */
  readonly initialVersions: BroughtVersions;
  readonly nonce: string;
  readonly error?: string;
}

/** There is a new resource set; numbers only grow. */
export interface NewSet {
  readonly kind: 'set';
  readonly set: ResourceSet;
  readonly snapshot: number;
}

/** Acknowledgements were waited for long enough: send what was held back for order's sake. */
export interface Release {
  readonly kind: 'release';
}

export type Event = SotwRequest | DeltaRequest | NewSet | Release;

/** What to send; a stream turns it into the bytes of its variant. */
export interface Response {
  readonly type: TypeUrl;
  readonly nonce: string;
  /** version_info, or system_version_info in a delta. */
  readonly version: string;
  readonly resources: readonly EncodedResource[];
  /** Names that do not exist (any more); always empty in SotW. */
  readonly removed: readonly string[];
}

/** What a step found out, for the registry, the log and the metrics. */
export type Report =
  | { readonly kind: 'acked'; readonly type: TypeUrl; readonly nonce: string }
  /** `names` is empty in SotW where a response is the whole type and the client does not say what it disliked. */
  | {
      readonly kind: 'nacked';
      readonly type: TypeUrl;
      readonly nonce: string;
      readonly names: readonly string[];
      readonly detail: string;
    }
  /** A NACK of several resources at once; they are being sent again in smaller parts to find the guilty one. */
  | {
      readonly kind: 'isolating';
      readonly type: TypeUrl;
      readonly nonce: string;
      readonly names: readonly string[];
      readonly detail: string;
    }
  | { readonly kind: 'stale'; readonly type: TypeUrl; readonly nonce: string }
  /** All that this client asked for of this snapshot was answered; `accepted` unless a resource stands rejected. */
  | { readonly kind: 'settled'; readonly snapshot: number; readonly accepted: boolean };
