import { createHash } from 'node:crypto';
import { add, type Edge, keyText } from '../../model/edge.ts';
import { wouldBeDenied } from '../../report/reason.ts';
import type { Observed, StoreReader } from '../../store/store.ts';
import type { SeriesStep } from '../api/graph.ts';
import { endsOf, type OwnDomains } from './ends.ts';
import type { Observation, ObservedLine, Records } from './observed.ts';

/** Answers are kept this long, so that many readers cost as much as one. */
const KEPT_MS = 1_000;
const MOST_KEPT = 8;
const MINUTE_MS = 60_000;

function linesOf(edges: readonly Edge[], own: OwnDomains): readonly ObservedLine[] {
  const lines = new Map<string, ObservedLine>();
  for (const { key, tally } of edges) {
    const text = keyText(key);
    const known = lines.get(text);
    lines.set(text, known ? { ...known, tally: add(known.tally, tally) } : { key, tally, ends: endsOf(key, own) });
  }
  return [...lines.values()];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Reads a store for the page. */
export function storeRecords(store: Pick<StoreReader, 'query'>, clock: () => Date): Records {
  const kept = new Map<string, { readonly at: number; readonly observed: Promise<Observed> }>();
  const query = (since: number, until: number): Promise<Observed> => {
    const now = clock().getTime();
    const key = `${since} ${until}`;
    const known = kept.get(key);
    if (known !== undefined && now - known.at < KEPT_MS) return known.observed;
    const observed = store.query({ since, until });
    kept.delete(key);
    kept.set(key, { at: now, observed });
    observed.catch(() => kept.delete(key));
    for (const oldest of kept.keys()) {
      if (kept.size <= MOST_KEPT) break;
      kept.delete(oldest);
    }
    return observed;
  };
  return {
    async between({ since, until }, own): Promise<Observation> {
      const { edges, losses, gaps } = await query(since ?? 0, until ?? clock().getTime());
      return {
        lines: linesOf(edges, own),
        missing: {
          lost: losses.reduce((sum, { count }) => sum + count, 0),
          gaps: gaps.map(({ from, until: to }) => ({ since: iso(from), until: iso(to) })),
        },
      };
    },
    async series(since, until, stepMs, own, which) {
      const { edges } = await query(since, until);
      const steps = Array.from({ length: Math.max(1, Math.ceil((until - since) / stepMs)) }, (): SeriesStep => ({
        calls: 0,
        denied: 0,
        wouldBeDenied: 0,
      }));
      for (const { key, minute, tally } of edges) {
        if (!which(endsOf(key, own))) continue;
        const at = Math.min(steps.length - 1, Math.max(0, Math.floor((minute * MINUTE_MS - since) / stepMs)));
        const step = steps[at] ?? { calls: 0, denied: 0, wouldBeDenied: 0 };
        steps[at] = {
          calls: step.calls + tally.count,
          denied: step.denied + (key.decision === 'DENY' ? tally.count : 0),
          wouldBeDenied: step.wouldBeDenied + (wouldBeDenied(key) ? tally.count : 0),
        };
      }
      return steps;
    },
    async version() {
      const now = clock().getTime();
      const { edges, losses } = await query(now - 2 * MINUTE_MS, Math.ceil(now / MINUTE_MS) * MINUTE_MS);
      const hash = createHash('sha256');
      for (const { key, tally } of edges) hash.update(`${keyText(key)} ${tally.count}\n`);
      return hash.update(String(losses.length)).digest('base64url').slice(0, 16);
    },
  };
}
