import type { EdgeKey, Tally } from '../../model/edge.ts';
import { wouldBeDenied } from '../../report/reason.ts';
import { quantileUs } from '../../model/latency.ts';
import type { Counts, Latency } from '../api/graph.ts';

/** Both ends must be proven for a call to count as mutual TLS. */
function isPlain(key: EdgeKey): boolean {
  return key.verdict !== 'unreached' && !key.mtls;
}

export function countsOf(key: EdgeKey, { count, statuses }: Pick<Tally, 'count' | 'statuses'>): Counts {
  return {
    calls: count,
    denied: key.decision === 'DENY' ? count : 0,
    wouldBeDenied: wouldBeDenied(key) ? count : 0,
    plain: isPlain(key) ? count : 0,
    unreached: key.verdict === 'unreached' ? count : 0,
    errors: statuses[5],
  };
}

export function latencyOf({ count, latencySumUs, latencyMaxUs, latencies }: Tally): Latency {
  const ms = (us: number): number => Math.round(us / 10) / 100;
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => quantileUs(latencies, share, latencyMaxUs));
  return {
    mean: ms(count === 0 ? 0 : latencySumUs / count),
    max: ms(latencyMaxUs),
    ...(p50 === undefined || p90 === undefined || p99 === undefined ? {} : { p50: ms(p50), p90: ms(p90), p99: ms(p99) }),
  };
}
