import type { Keeping } from '../../../audit/store/upkeep.ts';

const HOUR = 3_600_000;

export const CRASH_START = Date.parse('2026-03-01T00:00:00Z');
export const CRASH_STEP_MS = 600_000;
/** So short that rolling up and deleting go on all the time. */
export const CRASH_KEEPING: Keeping = Object.freeze({ minutesMs: 2 * HOUR, hoursMs: 24 * HOUR, daysMs: undefined });
