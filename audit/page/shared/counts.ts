import type { Counts } from '../api/graph.ts';

// Runs at the server and in the browser: see `SHARED` in server/assets.ts.

export const NO_CALLS: Counts = Object.freeze({ calls: 0, denied: 0, wouldBeDenied: 0, plain: 0, unreached: 0, errors: 0 });

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
