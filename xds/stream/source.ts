import type { ProxyClaim } from '../resources/proxy.ts';
import type { ResourceSet } from '../resource-set.ts';
import type { Variant } from '../subscription/event.ts';

/** What a source says to one proxy. */
export type Answer =
  | { readonly kind: 'found'; readonly snapshot: number; readonly set: ResourceSet }
  /** The pod is not in the snapshot (yet): nothing is sent, and the next snapshot is asked again. */
  | { readonly kind: 'unknown' }
  /** The claim is not the peer's to make: the call ends with PERMISSION_DENIED. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Where streams get their resources from. */
export interface ResourceSource {
  /**
   * What this peer may be told now. Numbers only grow; equal maps by identity are taken as unchanged.
   * @param variant what its stream speaks: only delta has virtual hosts as resources of their own
   */
  resourcesFor(claim: ProxyClaim, variant: Variant): Answer;
  /**
   * Does what takes long before {@link resourcesFor} can answer, for as long as it may. A source without it never takes long.
   * @returns whether it is done
   */
  prepare?(claim: ProxyClaim, variant: Variant, mayGoOn: () => boolean): boolean;
  /**
   * A proxy waits for clusters that it was not told of, or says which it begins with: it may be told of others from now on.
   * @param asked names that a call waits for
   * @param held in the first request of a stream: names that it has from an earlier one, and may be using
   * @returns whether it is one that asks when it needs them; then {@link resourcesFor} may say something else now
   */
  wanted?(claim: ProxyClaim, asked: readonly string[], held: readonly string[] | undefined): boolean;
  /** The listener is called after each new snapshot. Returns an unsubscribe. */
  onChange(listener: () => void): () => void;
}
