import type { EdgeKey, Tally } from '../../model/edge.ts';
import { wouldBeDenied } from '../../report/reason.ts';
import type { Counts, Latency } from '../api/graph.ts';

export const NO_CALLS: Counts = Object.freeze({ calls: 0, denied: 0, wouldBeDenied: 0, plain: 0, unreached: 0, errors: 0 });

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

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    calls: a.calls + b.calls,
    denied: a.denied + b.denied,
    wouldBeDenied: a.wouldBeDenied + b.wouldBeDenied,
    plain: a.plain + b.plain,
    unreached: a.unreached + b.unreached,
    errors: a.errors + b.errors,
  };
}

export function latencyOf({ count, latencySumUs, latencyMaxUs }: Tally): Latency {
  const ms = (us: number): number => Math.round(us / 10) / 100;
  return { mean: ms(count === 0 ? 0 : latencySumUs / count), max: ms(latencyMaxUs) };
}
