import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { LEVELS } from '../../../audit/store/levels.ts';
import type { AuditStore } from '../../../audit/store/sql-store.ts';
import type { Level, Precision } from '../../../audit/store/store.ts';
import type { Keeping } from '../../../audit/store/upkeep.ts';
import { callsOf, edge } from '../edges.ts';
import { allUpkeep, type Place } from './contract.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2026-03-01T22:40:00Z');

type Step =
  | { readonly do: 'call'; readonly port: number; readonly agoMs: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'upkeep'; readonly steps: number }
  | { readonly do: 'ask'; readonly fromMs: number; readonly lengthMs: number; readonly stepMs: number };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      port: fc.nat(3),
      agoMs: fc.nat(3 * DAY).map((ms) => ms ** 2 / (3 * DAY)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(20 * HOUR).map((ms) => ms ** 2 / (20 * HOUR)) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('upkeep' as const), steps: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      fromMs: fc.nat(5 * DAY),
      lengthMs: fc.integer({ min: 1, max: 3 * DAY }),
      stepMs: fc.constantFrom(MINUTE, 7 * MINUTE, HOUR, 3 * HOUR, DAY),
    }),
  },
);

interface Seen {
  readonly time: number;
  readonly port: number;
}

const UNIT = (level: Level): number => LEVELS[level].unit * MINUTE;
const down = (time: number, unit: number): number => Math.floor(time / unit) * unit;

/** A call is of the period at least when it lies in it, and at most when its minute (hour, day) at either end does. */
function bounds(seen: readonly Seen[], since: number, until: number, { from, until: to }: Precision): readonly [number, number] {
  const [first, end] = [down(since, UNIT(from)), down(until - 1, UNIT(to)) + UNIT(to)];
  return [
    seen.filter(({ time }) => time >= since && time < until).length,
    seen.filter(({ time }) => time >= first && time < end).length,
  ];
}

/** Random calls, some late, time that passes, pieces of upkeep between them: whatever is asked whenever, nothing counts twice or is lost. */
export async function checkRollup(makePlace: () => Promise<Place>, keeping: Keeping, runs: number, seed: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 20, maxLength: 80 }), async (steps) => {
      const place = await makePlace();
      let now = START;
      const store = await place.open({ clock: () => new Date(now), keeping });
      const seen: Seen[] = [];
      try {
        for (const step of steps) {
          switch (step.do) {
            case 'call': {
              const time = Math.max(START - DAY, Math.floor(now - step.agoMs));
              await store.append({ edges: [edge({ time, port: step.port })], losses: [] });
              seen.push({ time, port: step.port });
              break;
            }
            case 'pass':
              now += Math.floor(step.ms);
              break;
            case 'upkeep':
              for (let piece = 0; piece < step.steps && (await store.upkeep()); piece++);
              break;
            case 'ask':
              await ask(store, seen, START - DAY + step.fromMs, step.lengthMs, step.stepMs);
              break;
            default:
              step satisfies never;
          }
        }
        await whole(store, seen);
        await allUpkeep(store);
        await whole(store, seen);
        now += 100 * DAY;
        await allUpkeep(store);
        await whole(store, seen);
      } finally {
        await store.close();
        await place.close();
      }
    }),
    { numRuns: runs, seed, endOnFailure: true },
  );
}

async function whole(store: AuditStore, seen: readonly Seen[]): Promise<void> {
  const ever = { since: undefined, until: undefined };
  const { edges } = await store.query(ever);
  const calls = (port: number): number => seen.filter((one) => one.port === port).length;
  assert.deepEqual(
    edges.map(({ key, tally }) => [key.port, tally.count]).sort(),
    [...new Set(seen.map(({ port }) => port))].map((port) => [port, calls(port)]).sort(),
  );
  for (const stepMs of [MINUTE, HOUR, DAY]) {
    const points = await store.series({ ...ever, stepMs });
    assert.equal(
      points.reduce((sum, point) => sum + point.calls, 0),
      seen.length,
      `series by ${stepMs}`,
    );
  }
}

async function ask(store: AuditStore, seen: readonly Seen[], since: number, lengthMs: number, stepMs: number): Promise<void> {
  const until = since + lengthMs;
  const { edges, precision = { from: 'minute', until: 'minute' } } = await store.query({ since, until });
  const [least, most] = bounds(seen, since, until, precision);
  const calls = callsOf(edges);
  assert.ok(calls >= least && calls <= most, `${calls} calls, not between ${least} and ${most}`);
  const aligned = { since: down(since, DAY), until: down(until, DAY) + DAY };
  const exact = await store.query(aligned);
  assert.equal(callsOf(exact.edges), bounds(seen, aligned.since, aligned.until, { from: 'minute', until: 'minute' })[0]);
  assert.deepEqual(exact.precision, { from: 'minute', until: 'minute' }, 'whole days are exact');
  const points = await store.series({ ...aligned, stepMs });
  for (const { at, spanMs, calls: counted } of points) {
    if (DAY % spanMs !== 0) continue;
    assert.equal(counted, pointOf(seen, points, at, spanMs, stepMs), `${new Date(at).toISOString()} for ${spanMs}`);
  }
}

/** What the calls of a step are, less those that other steps in the same time have: they lie where time is kept more finely. */
function pointOf(
  seen: readonly Seen[],
  points: readonly { at: number; spanMs: number; calls: number }[],
  at: number,
  spanMs: number,
  stepMs: number,
): number {
  const all = seen.filter(({ time }) => time >= at && time < at + spanMs).length;
  if (spanMs === stepMs) {
    // A step may also lie in a longer one, of a time that is kept less finely: then it has what came after.
    const around = points.some((other) => other.spanMs > spanMs && other.at <= at && at < other.at + other.spanMs);
    if (around) return points.find((one) => one.at === at && one.spanMs === spanMs)?.calls ?? 0;
  }
  return (
    all -
    points
      .filter((other) => other.spanMs < spanMs && other.at >= at && other.at < at + spanMs)
      .reduce((sum, other) => sum + other.calls, 0)
  );
}
