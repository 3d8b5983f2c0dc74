import assert from 'node:assert/strict';
import { planOf, type RollupState } from '../../../audit/store/levels.ts';
import type { Keeping } from '../../../audit/store/upkeep.ts';
import { PostgresServer } from './postgres-server.ts';
import { checkRollup } from './rollup.ts';
import { sqlitePlace } from './sqlite-place.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SEED = 20_261_121;
const SHORT: Keeping = { minutesMs: 3 * HOUR, hoursMs: 2 * DAY, daysMs: undefined };
const LONG: Keeping = { minutesMs: 10 * DAY, hoursMs: 20 * DAY, daysMs: undefined };

describe('audit: minutes, hours, days', function () {
  this.timeout(120_000);

  it('the same sums at every level, whatever comes late (SQLite; minutes kept for hours)', () =>
    checkRollup(sqlitePlace, SHORT, 20, SEED));
  it('the same sums at every level, whatever comes late (SQLite; minutes kept)', () =>
    checkRollup(sqlitePlace, LONG, 8, SEED + 1));

  it('the same sums at every level, whatever comes late (PostgreSQL)', async function () {
    const server = await PostgresServer.start();
    if (server === undefined) return this.skip();
    try {
      await checkRollup(() => server.place(), SHORT, 3, SEED + 2);
    } finally {
      await server.close();
    }
  });

  describe('a period is read', () => {
    const at = (text: string): number => Date.parse(`2026-${text}:00Z`);
    const state: RollupState = {
      hour: at('03-10T12:00') / HOUR,
      hourEdge: 7,
      day: at('03-10T00:00') / DAY,
      dayEdge: 0,
      minutesFrom: at('03-08T12:00') / 60_000,
      hoursFrom: at('02-10T00:00') / HOUR,
      daysFrom: at('01-01T00:00') / DAY,
    };
    const read = (since: string | undefined, until: string | undefined) => {
      const plan = planOf(
        { since: since === undefined ? undefined : at(since), until: until === undefined ? undefined : at(until) },
        state,
      );
      const shown = { minute: 60_000, hour: HOUR, day: DAY };
      const time = (ms: number): string => (ms > 8e15 ? 'ever' : new Date(ms).toISOString().slice(5, 16));
      return [
        ...plan.segments.map(({ level, from, to }) => `${level} ${time(from * shown[level])} ${time((to + 1) * shown[level])}`),
        `${plan.precision.from} ${plan.precision.until}`,
      ];
    };
    it('by the coarsest that lie in it, finer ones at its ends', () =>
      assert.deepEqual(read('03-08T22:30', '03-10T14:10'), [
        'minute 03-08T22:30 03-08T23:00',
        'hour 03-08T23:00 03-09T00:00',
        'day 03-09T00:00 03-10T00:00',
        'hour 03-10T00:00 03-10T12:00',
        'minute 03-10T12:00 03-10T14:10',
        'minute minute',
      ]));
    it('by coarser ones where finer are no longer kept, and says so', () => {
      assert.deepEqual(read('03-01T22:30', '03-04T14:10'), [
        'hour 03-01T22:00 03-02T00:00',
        'day 03-02T00:00 03-04T00:00',
        'hour 03-04T00:00 03-04T14:00',
        'hour 03-04T14:00 03-04T15:00',
        'hour hour',
      ]);
      assert.deepEqual(read('01-20T05:00', '01-22T14:10'), ['day 01-20T00:00 01-23T00:00', 'day day']);
    });
    it('as long as there is anything', () =>
      assert.deepEqual(read(undefined, undefined), [
        'day 01-01T00:00 03-10T00:00',
        'hour 03-10T00:00 03-10T12:00',
        'minute 03-10T12:00 ever',
        'minute minute',
      ]));
    it('as minutes only, before anything is rolled up', () => {
      const fresh = { hour: 0, hourEdge: 0, day: 0, dayEdge: 0, minutesFrom: 0, hoursFrom: 0, daysFrom: 0 };
      assert.deepEqual(planOf({ since: undefined, until: undefined }, fresh).segments, [
        { level: 'minute', from: 0, to: Number.MAX_SAFE_INTEGER },
      ]);
    });
  });
});
