/**
 * Upper bounds of all of Istio's histograms, milliseconds and bytes alike: Envoy's defaults (docs: "config.metrics.v3.StatsConfig",
 * `histogram_bucket_settings`), which Istio's standard metrics have.
 */
export const BOUNDS = Object.freeze([
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
] as const);

/** Counts by bucket, not cumulative; the last is what is above all bounds. Changed in place: there are three for each series of requests. */
export interface Histogram {
  readonly counts: Float64Array;
  sum: number;
}

export function histogram(): Histogram {
  return { counts: new Float64Array(BOUNDS.length + 1), sum: 0 };
}

export function observe(into: Histogram, value: number): void {
  let at = 0;
  while (at < BOUNDS.length && value > (BOUNDS[at] ?? Number.POSITIVE_INFINITY)) at++;
  into.counts[at] = (into.counts[at] ?? 0) + 1;
  into.sum += value;
}
