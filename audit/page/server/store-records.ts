import { createHash } from 'node:crypto';
import { keyText } from '../../model/edge.ts';
import type { StoreFilter } from '../../model/edge-filter.ts';
import { edgeId } from '../../store/digest.ts';
import type { StoreQuestions } from '../../store/sqlite-read.ts';
import type { CountPoint, Observed } from '../../store/store.ts';
import { wouldBeDenied } from '../../report/reason.ts';
import type { SeriesStep } from '../api/graph.ts';
import { endsOf, type OwnDomains, visibleTo } from './ends.ts';
import type { ObservedLine, Records } from './observed.ts';
import type { ClosedPeriod } from './period.ts';
import type { Viewer } from './viewer.ts';

/** Answers are kept this long, so that many readers cost as much as one. */
const KEPT_MS = 1_000;
const MOST_KEPT = 16;
const MINUTE_MS = 60_000;
/** Namespaces of one reader whose pairs are asked about; for more the past is counted coarsely. */
const MOST_PAIRED = 8;
const COARSE_STEPS = 24;
/** Lines of an edge of which the past is told, busiest first. */
const MOST_HISTORIES = 25;

const NONE: SeriesStep = Object.freeze({ calls: 0, denied: 0, wouldBeDenied: 0 });

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Steps of a period, each filled by what lies in it. */
class Steps {
  readonly #period: ClosedPeriod;
  readonly #stepMs: number;
  readonly steps: SeriesStep[];

  constructor(period: ClosedPeriod, stepMs: number) {
    this.#period = period;
    this.#stepMs = stepMs;
    this.steps = Array.from({ length: Math.max(1, Math.ceil((period.until - period.since) / stepMs)) }, () => NONE);
  }

  add(at: number, { calls, denied, wouldBeDenied }: SeriesStep, times = 1): void {
    const index = Math.min(this.steps.length - 1, Math.max(0, Math.floor((at - this.#period.since) / this.#stepMs)));
    const before = this.steps[index] ?? NONE;
    this.steps[index] = {
      calls: before.calls + times * calls,
      denied: before.denied + times * denied,
      wouldBeDenied: before.wouldBeDenied + times * wouldBeDenied,
    };
  }
}

/** What all of these have in common, so that few other edges are read. */
function filterOf(lines: readonly ObservedLine[]): StoreFilter {
  const shared = (part: 'sourcePrincipal' | 'sourceWorkload' | 'destinationPrincipal' | 'destinationWorkload' | 'service') => {
    const [value, other] = new Set(lines.map(({ key }) => key[part]));
    return value === '' || other !== undefined ? undefined : value;
  };
  return {
    from: { identity: shared('sourcePrincipal'), workload: shared('sourceWorkload') },
    to: { identity: shared('destinationPrincipal'), workload: shared('destinationWorkload') },
    service: shared('service'),
  };
}

/** Reads a store for the page. */
export function storeRecords(store: StoreQuestions, clock: () => Date): Records {
  const kept = new Map<string, { readonly at: number; readonly answer: Promise<unknown> }>();
  let last = '';
  const remembered = <T>(key: string, ask: () => Promise<T>): Promise<T> => {
    const now = clock().getTime();
    const known = kept.get(key);
    // The key says what was asked, and so what the answer is.
    if (known !== undefined && now - known.at < KEPT_MS) return known.answer as Promise<T>;
    const answer = ask();
    kept.delete(key);
    kept.set(key, { at: now, answer });
    answer.catch(() => kept.delete(key));
    for (const oldest of kept.keys()) {
      if (kept.size <= MOST_KEPT) break;
      kept.delete(oldest);
    }
    return answer;
  };
  const query = ({ since, until }: ClosedPeriod): Promise<Observed> =>
    remembered(`query ${since} ${until}`, () => store.query({ since, until }));
  const between: Records['between'] = async (period, own) => {
    const { edges, losses, gaps } = await query(period);
    return {
      lines: edges.map(({ key, tally }): ObservedLine => ({ key, tally, ends: endsOf(key, own) })),
      missing: {
        lost: losses.reduce((sum, { count }) => sum + count, 0),
        gaps: gaps.map(({ from, until }) => ({ since: iso(from), until: iso(until) })),
      },
    };
  };

  /** What several namespaces see: each call once, though it touches two of them. */
  const ofNamespaces = async (
    namespaces: readonly string[],
    period: ClosedPeriod,
    stepMs: number,
    steps: Steps,
  ): Promise<void> => {
    const add = (points: readonly CountPoint[], times: 1 | -1): void => {
      for (const point of points) steps.add(point.at, point, times);
    };
    for (const [at, namespace] of namespaces.entries()) {
      add(await store.series({ ...period, stepMs, filter: { namespace } }), 1);
      for (const other of namespaces.slice(at + 1)) {
        add(await store.series({ ...period, stepMs, filter: { from: { namespace }, to: { namespace: other } } }), -1);
        add(await store.series({ ...period, stepMs, filter: { from: { namespace: other }, to: { namespace } } }), -1);
      }
    }
  };

  const coarsely = async (viewer: Viewer, period: ClosedPeriod, steps: Steps, own: OwnDomains): Promise<void> => {
    const spanMs = Math.ceil((period.until - period.since) / COARSE_STEPS / MINUTE_MS) * MINUTE_MS;
    for (let since = period.since; since < period.until; since += spanMs) {
      const { edges } = await store.query({ since, until: Math.min(period.until, since + spanMs) });
      for (const { key, tally } of edges)
        if (visibleTo(viewer, endsOf(key, own)))
          steps.add(since, {
            calls: tally.count,
            denied: key.decision === 'DENY' ? tally.count : 0,
            wouldBeDenied: wouldBeDenied(key) ? tally.count : 0,
          });
    }
  };

  return {
    between,
    async detailed(lines, period) {
      const { edges } = await store.query({ ...period, filter: filterOf(lines), certificates: true, latencies: true });
      const found = new Map(edges.map((edge) => [keyText(edge.key), edge]));
      // A line that is not found again was forgotten meanwhile.
      return lines.map((line) => {
        const edge = found.get(keyText(line.key));
        if (edge === undefined) return line;
        const { tally, certificates } = edge;
        return { ...line, tally, ...(certificates === undefined ? {} : { certificates }) };
      });
    },
    async series(period, stepMs, viewer, own) {
      const { namespaces } = viewer;
      const who = namespaces === 'all' ? '*' : JSON.stringify([...namespaces].sort());
      return remembered(`series ${period.since} ${period.until} ${stepMs} ${who}`, async () => {
        const steps = new Steps(period, stepMs);
        if (namespaces === 'all') for (const point of await store.series({ ...period, stepMs })) steps.add(point.at, point);
        else if (namespaces.size <= MOST_PAIRED) await ofNamespaces([...namespaces], period, stepMs, steps);
        else await coarsely(viewer, period, steps, own);
        return steps.steps;
      });
    },
    async history(lines, period, stepMs) {
      const steps = new Steps(period, stepMs);
      const busiest = lines.toSorted((a, b) => b.tally.count - a.tally.count).slice(0, MOST_HISTORIES);
      for (const { key } of busiest) {
        const found = await store.edgeSeries({ ...period, edge: edgeId(key), stepMs });
        for (const { at, tally } of found?.points ?? [])
          steps.add(at, {
            calls: tally.count,
            denied: key.decision === 'DENY' ? tally.count : 0,
            wouldBeDenied: wouldBeDenied(key) ? tally.count : 0,
          });
      }
      return steps.steps;
    },
    async version() {
      const until = Math.ceil(clock().getTime() / MINUTE_MS) * MINUTE_MS;
      const { edges, losses } = await store.query({ since: until - 2 * MINUTE_MS, until });
      const hash = createHash('sha256');
      const texts = edges.map(({ key, tally }) => `${keyText(key)} ${tally.count}`);
      for (const text of texts.sort()) hash.update(text);
      const version = hash
        .update(String(losses.reduce((sum, { count }) => sum + count, 0)))
        .digest('base64url')
        .slice(0, 16);
      // Who is told of something new must not be answered with what was before it.
      if (version !== last) kept.clear();
      return (last = version);
    },
  };
}
