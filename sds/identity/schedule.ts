import type { Random } from '../clock.ts';

/** A certificate is renewed when between half and 0.7 of the life it had on arrival has passed. */
export const RENEW_EARLIEST = 0.5;
export const RENEW_LATEST = 0.7;

/**
 * No timer sleeps longer than this: a suspended machine or a moved clock is noticed within a minute, whatever the
 * operating system does with long timers (Node's own overflow after 24.8 days).
 */
export const RECHECK_MS = 60_000;

/** When a certificate is to be renewed, kept in both times so that a moved wall clock cannot postpone it. */
export interface Plan {
  /** Wall time, milliseconds since the epoch. */
  readonly renewAt: number;
  /** Monotonic milliseconds at which the same moment was expected when the plan was made. */
  readonly renewAtMonotonic: number;
}

export type Step = { readonly kind: 'renew' } | { readonly kind: 'wait'; readonly ms: number };

/**
 * Plans the renewal of a certificate that has just arrived.
 *
 * The life counted is what is left of it now, not notAfter - notBefore: authorities backdate notBefore by seconds or
 * minutes, and half of such a lifetime may lie in the past when the certificate lives for seconds.
 * @param notAfter milliseconds since the epoch
 */
export function planRenewal(notAfter: number, now: number, monotonic: number, random: Random): Plan {
  const left = Math.max(0, notAfter - now);
  const wait = left * (RENEW_EARLIEST + (RENEW_LATEST - RENEW_EARLIEST) * random());
  return { renewAt: now + wait, renewAtMonotonic: monotonic + wait };
}

/** What to do now: renew as soon as either clock has reached the plan, else sleep until then, a minute at most. */
export function nextStep(plan: Plan, now: number, monotonic: number): Step {
  const left = Math.min(plan.renewAt - now, plan.renewAtMonotonic - monotonic);
  if (left <= 0) return { kind: 'renew' };
  return { kind: 'wait', ms: Math.min(Math.ceil(left), RECHECK_MS) };
}
