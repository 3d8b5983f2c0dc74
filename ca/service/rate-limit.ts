export interface RateLimitOptions {
  readonly perSecond: number;
  /** How many at once after a pause. */
  readonly burst: number;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

/** Takes one token of a caller's bucket: 0, or the milliseconds until there is one. */
export type RateLimit = (caller: string) => number;

const MOST_CALLERS = 10_000;

/** A token bucket for each caller. Those that were idle longest are forgotten first, which can only be to their advantage. */
export function rateLimit({ perSecond, burst, clock }: RateLimitOptions): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (caller) => {
    const now = clock();
    const known = buckets.get(caller);
    const tokens = known === undefined ? burst : Math.min(burst, known.tokens + (Math.max(0, now - known.at) / 1000) * perSecond);
    // Moves it to the end: the Map's order is that of the last use.
    buckets.delete(caller);
    if (buckets.size >= MOST_CALLERS) buckets.delete(buckets.keys().next().value ?? '');
    buckets.set(caller, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
  };
}
