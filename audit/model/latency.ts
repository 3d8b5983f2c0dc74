/** Upper bounds of the buckets, microseconds; what takes longer is in one more. */
export const LATENCY_BOUNDS_US = Object.freeze([
  1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000,
] as const);

export const LATENCY_BUCKETS = LATENCY_BOUNDS_US.length + 1;

/** How many calls took how long: a number for each bucket. Those of any two sums can be added up. */
export type Latencies = readonly number[];

export const NO_LATENCIES: Latencies = Object.freeze(Array.from({ length: LATENCY_BUCKETS }, () => 0));

const ONE: readonly Latencies[] = Object.freeze(
  NO_LATENCIES.map((_, index) => Object.freeze(NO_LATENCIES.map((_zero, at) => (at === index ? 1 : 0)))),
);

export function latencyOf(us: number): Latencies {
  const index = LATENCY_BOUNDS_US.findIndex((bound) => us <= bound);
  return ONE[index < 0 ? LATENCY_BUCKETS - 1 : index] ?? NO_LATENCIES;
}

export function addLatencies(a: Latencies, b: Latencies): Latencies {
  if (a === NO_LATENCIES) return b;
  if (b === NO_LATENCIES) return a;
  return a.map((count, index) => count + (b[index] ?? 0));
}

/**
 * How long the calls took of which this share was no slower, in microseconds: between the bounds of a bucket they are taken to lie evenly, as
 * Prometheus takes them. Undefined where nothing was counted (by an earlier version).
 */
export function quantileUs(latencies: Latencies, share: number, maxUs: number): number | undefined {
  const total = latencies.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = share * total;
  let before = 0;
  for (const [index, count] of latencies.entries()) {
    if (count > 0 && before + count >= rank) {
      const from = LATENCY_BOUNDS_US[index - 1] ?? 0;
      const to = Math.min(LATENCY_BOUNDS_US[index] ?? maxUs, maxUs);
      return Math.max(from, from + ((to - from) * (rank - before)) / count);
    }
    before += count;
  }
  return maxUs;
}
