import { type LeaseRecord, leaseRecord } from '../lease/lease.ts';

/** A replica's Lease, and since when it was seen as it is, by this process's own monotonic clock: another's clock is not believed. */
export interface Presence {
  readonly lease: LeaseRecord;
  readonly seenSinceMs: number;
}

export function sightedReplica(before: Presence | undefined, object: unknown, nowMs: number): Presence {
  const lease = leaseRecord(object);
  return before?.lease.renewTime === lease.renewTime ? { lease, seenSinceMs: before.seenSinceMs } : { lease, seenSinceMs: nowMs };
}

/**
 * Whether it must be counted as running: until its Lease was seen unchanged for as long as it holds. One that was only now heard of
 * is, however old its Lease may be. While we hear nothing from the API server, nobody's time runs.
 */
export function isPresent({ lease, seenSinceMs }: Presence, heardMs: number): boolean {
  return heardMs - seenSinceMs < lease.durationSeconds * 1000;
}
