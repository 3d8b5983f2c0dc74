import type { Random } from '../clock.ts';

const FIRST_MS = 200;
const CEILING_MS = 30_000;
const LEAST_MS = 50;
/** A server may ask for patience, but not silence an agent for longer than this. */
export const LONGEST_HINT_MS = 300_000;

export interface Failure {
  /** Failures in a row so far, this one included: 1 or more. */
  readonly count: number;
  /** Milliseconds that the certificate in hand is still valid; 0 or less when there is none. */
  readonly lifeLeft: number;
  /** What the server asked for, in milliseconds. */
  readonly hint?: number | undefined;
}

/**
 * How long to wait before trying again: exponential with "equal jitter" (half fixed, half random), at most 30 s and at
 * most an eighth of the remaining life, so that a certificate of seconds still gets several tries. A server's hint is
 * the least wait, with a fifth of jitter on top so that those it turned away together do not return together.
 */
export function retryDelay(failure: Failure, random: Random): number {
  const ceiling = failure.lifeLeft > 0 ? Math.min(CEILING_MS, Math.max(LEAST_MS, failure.lifeLeft / 8)) : CEILING_MS;
  const step = Math.min(ceiling, FIRST_MS * 2 ** Math.min(failure.count - 1, 20));
  const own = step / 2 + (step / 2) * random();
  if (failure.hint === undefined || !(failure.hint > 0)) return own;
  const asked = Math.min(failure.hint, LONGEST_HINT_MS);
  return Math.max(own, asked * (1 + 0.2 * random()));
}
