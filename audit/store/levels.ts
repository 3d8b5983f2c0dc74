import type { Level, Period, Precision } from './store.ts';

/** Where each level is kept. `unit`: how many minutes; a row's time counts units since the epoch. */
export const LEVELS = Object.freeze({
  minute: { table: 'bucket', time: 'minute', unit: 1 },
  hour: { table: 'bucket_hour', time: 'at', unit: 60 },
  day: { table: 'bucket_day', time: 'at', unit: 1440 },
} as const satisfies Readonly<Record<Level, { readonly table: string; readonly time: string; readonly unit: number }>>);

export const MINUTE_MS = 60_000;

/**
 * How far rolling up has come. Hours before `hour` are in the table of hours, and of hour `hour` the edges up to `hourEdge`; days likewise.
 * What arrives late for these is added at each level at once, so that all levels have the same sums. Rows before `minutesFrom`, `hoursFrom`,
 * `daysFrom` (in their units) are no longer kept, though some may still be there.
 */
export interface RollupState {
  readonly hour: number;
  readonly hourEdge: number;
  readonly day: number;
  readonly dayEdge: number;
  readonly minutesFrom: number;
  readonly hoursFrom: number;
  readonly daysFrom: number;
}

/** Rows of a level from one time to another, both included. */
export interface Segment {
  readonly level: Level;
  readonly from: number;
  readonly to: number;
}

export interface Plan {
  readonly segments: readonly Segment[];
  readonly precision: Precision;
  /** In ms; nothing before it is kept. */
  readonly forgottenBefore: number;
}

const FAR = Number.MAX_SAFE_INTEGER;

/** The first and the last minute of a period. */
function minutesOf({ since, until }: Period): readonly [number, number] {
  return [Math.floor((since ?? 0) / MINUTE_MS), until === undefined ? FAR : Math.floor((until - 1) / MINUTE_MS)];
}

/**
 * Which rows tell of a period: the coarsest that lie wholly in it, finer ones at its ends, and coarser ones where finer are no longer kept.
 * Each minute of the period lies in exactly one of them. `coarsest`: none coarser than this by choice.
 */
export function planOf(period: Period, state: RollupState, coarsest: Level = 'day'): Plan {
  const oldest = Math.min(state.minutesFrom, state.hoursFrom * 60, state.daysFrom * 1440);
  const [asked, last] = minutesOf(period);
  const first = Math.max(asked, oldest);
  const segments: Segment[] = [];
  let at = first;
  while (at <= last) {
    const segment = next(at, last, state, coarsest);
    if (segment !== undefined) segments.push(segment);
    const end = segment === undefined ? afterHole(at, state) : (segment.to + 1) * LEVELS[segment.level].unit;
    if (end > last) break;
    at = end;
  }
  const [head, tail] = [segments[0], segments.at(-1)];
  return {
    segments,
    precision: {
      from: head !== undefined && head.from * LEVELS[head.level].unit < first ? head.level : 'minute',
      until: tail !== undefined && (tail.to + 1) * LEVELS[tail.level].unit - 1 > last ? tail.level : 'minute',
    },
    forgottenBefore: oldest * MINUTE_MS,
  };
}

function next(at: number, last: number, state: RollupState, coarsest: Level): Segment | undefined {
  const [day, hour] = [Math.floor(at / 1440), Math.floor(at / 60)];
  const hasDay = day >= state.daysFrom && day < state.day;
  const hasHour = hour >= state.hoursFrom && hour < state.hour;
  if (coarsest === 'day' && hasDay && at === day * 1440 && at + 1439 <= last)
    return { level: 'day', from: day, to: Math.min(state.day, Math.floor((last + 1) / 1440)) - 1 };
  if (coarsest !== 'minute' && hasHour && at === hour * 60 && at + 59 <= last) {
    const whole = Math.min(state.hour, Math.floor((last + 1) / 60)) - 1;
    // Days begin again at midnight, where there are some.
    return { level: 'hour', from: hour, to: coarsest === 'day' && day < state.day ? Math.min(whole, day * 24 + 23) : whole };
  }
  if (at >= state.minutesFrom) {
    const onlyMinutes = coarsest === 'minute' || hour >= state.hour;
    return { level: 'minute', from: at, to: onlyMinutes ? last : Math.min(last, hour * 60 + 59) };
  }
  if (hasHour) {
    const finer = Math.min(state.hour, Math.ceil(Math.min(state.minutesFrom, last + 1) / 60)) - 1;
    return { level: 'hour', from: hour, to: coarsest === 'day' && day < state.day ? Math.min(finer, day * 24 + 23) : finer };
  }
  if (!hasDay) return undefined;
  const finer = Math.min(state.minutesFrom, state.hoursFrom * 60, last + 1);
  return { level: 'day', from: day, to: Math.min(state.day, Math.ceil(finer / 1440)) - 1 };
}

/** The next minute that some level may have, after one that none has. */
function afterHole(at: number, state: RollupState): number {
  const starts = [state.minutesFrom, state.hoursFrom * 60, state.daysFrom * 1440].filter((start) => start > at);
  return Math.min(...starts, FAR);
}

/** The finest level whose rows fit into steps of that many minutes, and all coarser ones that do. */
export function coarsestFor(stepMinutes: number): Level {
  if (stepMinutes % 1440 === 0) return 'day';
  return stepMinutes % 60 === 0 ? 'hour' : 'minute';
}

/** Whether the rows of an edge in this minute were already added up at a coarser level. */
export function folded(level: 'hour' | 'day', at: number, edge: number, state: RollupState): boolean {
  const [upTo, upToEdge] = level === 'hour' ? [state.hour, state.hourEdge] : [state.day, state.dayEdge];
  return at < upTo || (at === upTo && edge <= upToEdge);
}
