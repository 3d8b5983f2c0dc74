import type { Random } from '../clock.ts';

const FIRST_MS = 200;
const CEILING_MS = 15_000;
/** A missing file costs nobody but us: looked for more often. */
const LOCAL_CEILING_MS = 1000;
/** Without a valid certificate a workload is cut off: whoever restores the authority should not wait long for it. */
const CUT_OFF_CEILING_MS = 5000;
const LEAST_CEILING_MS = 250;
/** A server may ask for patience, but not silence an agent for longer than this. */
export const LONGEST_HINT_MS = 300_000;

export interface Failure {
  /** Failures in a row so far, this one included: 1 or more. */
  readonly count: number;
  /** Milliseconds that the certificate in hand is still valid; 0 or less when there is none. */
  readonly lifeLeft: number;
  /** What the server asked for, in milliseconds. */
  readonly hint?: number | undefined;
  /** No server was asked: something on this machine is missing. */
  readonly local?: boolean | undefined;
}

/**
 * How long to wait before trying again: exponential with "equal jitter" (half fixed, half random), at most 15 s and at
 * most an eighth of the remaining life (but 0.25 s), so that a certificate of seconds still gets several tries; 5 s where
 * there is no valid certificate. A server's hint is
 * the least wait, with a fifth of jitter on top so that those it turned away together do not return together.
 */
export function retryDelay(failure: Failure, random: Random): number {
  const most = failure.local === true ? LOCAL_CEILING_MS : failure.lifeLeft > 0 ? CEILING_MS : CUT_OFF_CEILING_MS;
  const ceiling = failure.lifeLeft > 0 ? Math.min(most, Math.max(LEAST_CEILING_MS, failure.lifeLeft / 8)) : most;
  const step = Math.min(ceiling, FIRST_MS * 2 ** Math.min(failure.count - 1, 20));
  const own = step / 2 + (step / 2) * random();
  if (failure.hint === undefined || !(failure.hint > 0)) return own;
  const asked = Math.min(failure.hint, LONGEST_HINT_MS);
  return Math.max(own, asked * (1 + 0.2 * random()));
}
