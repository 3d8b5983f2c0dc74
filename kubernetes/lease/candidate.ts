import type { LeaseRecord } from './lease.ts';

/** How long a lease holds, until when it must have been renewed to be relied on, and how often it is tried. Milliseconds. */
export interface Pace {
  readonly holdsMs: number;
  readonly renewWithinMs: number;
  readonly everyMs: number;
}

/** As Kubernetes' own controllers have it. */
export const PACE: Pace = Object.freeze({ holdsMs: 15_000, renewWithinMs: 10_000, everyMs: 2_000 });

/**
 * One who wants to lead. Times are monotonic and this process's own: another's clock may be wrong by any amount, so that a lease ends when it
 * was not seen to change for as long as it holds.
 */
export interface Candidate {
  readonly name: string;
  /** The lease as it was seen last, and since when it has been so. */
  readonly seen: LeaseRecord | undefined;
  readonly seenSinceMs: number;
  /** When the last renewal that succeeded was sent; undefined for who does not lead. */
  readonly renewedMs: number | undefined;
}

export type Step =
  | { readonly kind: 'create' }
  | { readonly kind: 'renew'; readonly over: LeaseRecord }
  | { readonly kind: 'take'; readonly over: LeaseRecord }
  | { readonly kind: 'wait' };

export function candidate(name: string): Candidate {
  return { name, seen: undefined, seenSinceMs: 0, renewedMs: undefined };
}

/** After the lease was read; undefined where there is none. */
export function sighted(before: Candidate, lease: LeaseRecord | undefined, nowMs: number): Candidate {
  const same =
    lease !== undefined &&
    before.seen !== undefined &&
    lease.holder === before.seen.holder &&
    lease.renewTime === before.seen.renewTime &&
    lease.transitions === before.seen.transitions;
  const lost = lease?.holder !== before.name;
  return {
    name: before.name,
    seen: lease,
    seenSinceMs: same ? before.seenSinceMs : nowMs,
    renewedMs: lost ? undefined : before.renewedMs,
  };
}

export function next({ name, seen, seenSinceMs }: Candidate, nowMs: number, { holdsMs }: Pace): Step {
  if (seen === undefined) return { kind: 'create' };
  if (seen.holder === name) return { kind: 'renew', over: seen };
  const held = seen.durationSeconds > 0 ? seen.durationSeconds * 1000 : holdsMs;
  return seen.holder === '' || nowMs - seenSinceMs >= held ? { kind: 'take', over: seen } : { kind: 'wait' };
}

/** After our own write was taken; `sentMs` is when it was sent, since another may count from then on. */
export function wrote(before: Candidate, lease: LeaseRecord, sentMs: number): Candidate {
  return { name: before.name, seen: lease, seenSinceMs: sentMs, renewedMs: sentMs };
}

/** Whether what only one may do can be done now: stops well before another may begin. */
export function leads({ renewedMs }: Candidate, nowMs: number, { renewWithinMs }: Pace): boolean {
  return renewedMs !== undefined && nowMs - renewedMs < renewWithinMs;
}
