import type { Parsed } from '../../ca/identity/parsed.ts';

const UNIT_MS: Readonly<Record<string, number>> = Object.freeze({
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
});
const ISO = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Parses a moment, in ms since the epoch: an age before `now` (`90s`, `15m`, `1h`, `7d`, `2w`) or an ISO 8601 date or time with zone. */
export function parseInstant(text: string, now: Date): Parsed<number> {
  const [, amount, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNIT_MS[unit];
  if (amount !== undefined && factor !== undefined) return { ok: true, value: now.getTime() - Number(amount) * factor };
  const value = ISO.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(value))
    return { ok: false, reason: `\`${text}\` is neither an age (15m, 1h, 7d) nor a time (2026-01-31 or 2026-01-31T08:00:00Z)` };
  return { ok: true, value };
}
