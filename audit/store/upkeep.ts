import type { Level } from './store.ts';
import { LEVELS, MINUTE_MS, type RollupState } from './levels.ts';
import { foldUses } from './certificate-uses.ts';
import { rollupState } from './reading.ts';
import { integer } from './row.ts';
import type { Session, SqlValue } from './sql.ts';
import { FORGET_RECEIPTS, TALLY_SUMS } from './statements.ts';
import { TALLY_COLUMNS } from './schema.ts';
import { forgetTotals } from './totals.ts';

/** How long each level is kept, in ms. */
export interface Keeping {
  readonly minutesMs: number;
  readonly hoursMs: number;
  /** Undefined: for ever. */
  readonly daysMs: number | undefined;
}

const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const DEFAULT_KEEPING: Keeping = Object.freeze({ minutesMs: 2 * DAY_MS, hoursMs: 30 * DAY_MS, daysMs: 396 * DAY_MS });

/** An hour is added up that long after it ended: what comes later costs a row more. */
const SETTLED_MS = 2 * MINUTE_MS;
/** What one step does is small, as whoever writes records waits for it. */
const EDGES_A_STEP = 200;
const ROWS_A_STEP = 5_000;
/** An agent sends anew what was not acknowledged within seconds of being connected; none keeps it for as long. */
const RECEIPT_MS = 30 * DAY_MS;

const MINUTES_OF_AN_HOUR = Array.from({ length: 60 }, () => '?').join(', ');

async function save(session: Session, state: RollupState): Promise<void> {
  await session.run(
    'UPDATE rollup SET hour = ?, hour_edge = ?, day = ?, day_edge = ?, minutes_from = ?, hours_from = ?, days_from = ?',
    state.hour,
    state.hourEdge,
    state.day,
    state.dayEdge,
    state.minutesFrom,
    state.hoursFrom,
    state.daysFrom,
  );
}

/** The last of the next edges after one; undefined when there is none. */
async function nextEdges(session: Session, after: number): Promise<number | undefined> {
  const [row = {}] = await session.all(
    'SELECT max(id) AS id FROM (SELECT id FROM edge WHERE id > ? ORDER BY id LIMIT ?) AS next',
    after,
    EDGES_A_STEP,
  );
  return row['id'] === null ? undefined : integer(row, 'id');
}

const SUMS_INTO = (level: 'hour' | 'day'): string =>
  `INSERT INTO ${LEVELS[level].table} (edge, at, ${TALLY_COLUMNS.join(', ')}) SELECT b.edge, CAST(? AS BIGINT), ${TALLY_SUMS}`;

/** Adds up the next edges of the next hour; undefined when there is nothing to add up. */
async function foldHour(session: Session, state: RollupState, now: number): Promise<RollupState | undefined> {
  const before = Math.floor((now - SETTLED_MS) / HOUR_MS);
  if (state.hour >= before) return undefined;
  if (state.hourEdge === 0) {
    const [row = {}] = await session.all('SELECT min(minute) AS minute FROM bucket WHERE minute >= ?', state.hour * 60);
    const hour = row['minute'] === null ? before : Math.min(before, Math.floor(integer(row, 'minute') / 60));
    if (hour > state.hour) return { ...state, hour, day: state.hour === 0 ? Math.floor(hour / 24) : state.day };
  }
  const top = await nextEdges(session, state.hourEdge);
  if (top === undefined) return { ...state, hour: state.hour + 1, hourEdge: 0 };
  const minutes = Array.from({ length: 60 }, (_, index) => state.hour * 60 + index);
  await session.run(
    `${SUMS_INTO('hour')} FROM bucket AS b WHERE b.minute IN (${MINUTES_OF_AN_HOUR}) AND b.edge > ? AND b.edge <= ? GROUP BY b.edge`,
    state.hour,
    ...minutes,
    state.hourEdge,
    top,
  );
  return { ...state, hourEdge: top };
}

async function foldDay(session: Session, state: RollupState): Promise<RollupState | undefined> {
  if ((state.day + 1) * 24 > state.hour) return undefined;
  const top = await nextEdges(session, state.dayEdge);
  if (top === undefined) return { ...state, day: state.day + 1, dayEdge: 0 };
  await session.run(
    `${SUMS_INTO('day')} FROM edge CROSS JOIN bucket_hour AS b
     WHERE edge.id > ? AND edge.id <= ? AND b.edge = edge.id AND b.at BETWEEN ? AND ? GROUP BY b.edge`,
    state.day,
    state.dayEdge,
    top,
    state.day * 24,
    state.day * 24 + 23,
  );
  return { ...state, dayEdge: top };
}

/** From when each level is kept: finer rows go when they were added up, and all go that are older than days are kept. */
function keptFrom(state: RollupState, now: number, { minutesMs, hoursMs, daysMs }: Keeping): RollupState {
  const oldest = daysMs === undefined ? 0 : now - daysMs;
  const whole = (ms: number, unit: number): number => Math.max(0, Math.floor(ms / unit));
  return {
    ...state,
    minutesFrom: Math.max(
      state.minutesFrom,
      Math.min(whole(now - minutesMs, HOUR_MS), state.hour) * 60,
      whole(oldest, MINUTE_MS),
    ),
    hoursFrom: Math.max(state.hoursFrom, Math.min(whole(now - hoursMs, DAY_MS), state.day) * 24, whole(oldest, HOUR_MS)),
    daysFrom: Math.max(state.daysFrom, whole(oldest, DAY_MS)),
  };
}

/** Where the search for rows that are no longer kept has come to; only this process's. */
export interface Cursors {
  hour: number;
  day: number;
  orphan: number;
  use: number;
}

/** The last edge to look at; none when all were, and it begins anew. */
async function sweep(session: Session, cursors: Cursors, which: keyof Cursors): Promise<readonly [number, number] | undefined> {
  const after = cursors[which];
  const top = await nextEdges(session, after);
  cursors[which] = top ?? 0;
  return top === undefined ? undefined : [after, top];
}

async function forgetByEdge(session: Session, level: 'hour' | 'day', before: number, cursors: Cursors): Promise<number> {
  const range = before === 0 ? undefined : await sweep(session, cursors, level);
  if (range === undefined) return 0;
  const { table } = LEVELS[level];
  return session.run(
    `DELETE FROM ${table} WHERE (edge, at) IN (SELECT b.edge, b.at FROM edge CROSS JOIN ${table} AS b
     WHERE edge.id > ? AND edge.id <= ? AND b.edge = edge.id AND b.at < ?)`,
    ...range,
    before,
  );
}

const HAS_ROWS = (level: Level): string => `EXISTS (SELECT 1 FROM ${LEVELS[level].table} AS b WHERE b.edge = edge.id)`;

/** Edges of which nothing is kept any more. One that comes back is a new one. */
async function forgetEdges(session: Session, cursors: Cursors): Promise<number> {
  const range = await sweep(session, cursors, 'orphan');
  if (range === undefined) return 0;
  return session.run(
    `DELETE FROM edge WHERE id > ? AND id <= ? AND NOT (${HAS_ROWS('minute')} OR ${HAS_ROWS('hour')} OR ${HAS_ROWS('day')}
     OR EXISTS (SELECT 1 FROM certificate_use AS c WHERE c.edge = edge.id))`,
    ...range,
  );
}

async function forget(session: Session, state: RollupState, now: number, cursors: Cursors): Promise<boolean> {
  const minutes = await session.run(
    'DELETE FROM bucket WHERE (minute, edge) IN (SELECT minute, edge FROM bucket WHERE minute < ? ORDER BY minute LIMIT ?)',
    state.minutesFrom,
    ROWS_A_STEP,
  );
  await forgetByEdge(session, 'hour', state.hoursFrom, cursors);
  await forgetByEdge(session, 'day', state.daysFrom, cursors);
  const folding = await sweep(session, cursors, 'use');
  if (folding !== undefined) await foldUses(session, folding, state);
  await forgetTotals(session, state.minutesFrom, ROWS_A_STEP);
  await forgetEdges(session, cursors);
  const old: SqlValue = state.daysFrom * DAY_MS;
  await session.run('DELETE FROM loss WHERE minute < ?', state.daysFrom * 1440);
  // The last before then stays: from its end to the next start nobody was there.
  await session.run('DELETE FROM writer WHERE last_write < (SELECT max(last_write) FROM writer WHERE last_write < ?)', old);
  await session.run(FORGET_RECEIPTS, now - RECEIPT_MS);
  return minutes === ROWS_A_STEP;
}

/**
 * One small piece of what keeps a store small and fast: adding up the next edges of an hour or a day, or deleting some of what is no longer
 * kept. To be done in a transaction while nobody else writes, so that each row is added up exactly once, whatever ends when.
 * @returns whether there is more to do at once
 */
export async function upkeepStep(session: Session, now: number, keeping: Keeping, cursors: Cursors): Promise<boolean> {
  const state = await rollupState(session);
  const next = (await foldHour(session, state, now)) ?? (await foldDay(session, state));
  if (next !== undefined) {
    await save(session, next);
    return true;
  }
  const kept = keptFrom(state, now, keeping);
  await save(session, kept);
  return forget(session, kept, now, cursors);
}
