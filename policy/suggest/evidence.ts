import type { ObservedCall } from '../observed/call.ts';
import type { RuleEvidence } from './suggestion.ts';

export const DAY_MS = 86_400_000;

/** Calls added up. */
export interface Seen {
  readonly calls: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** At least on so many days, where that is known. */
  readonly days: number | undefined;
}

export function seen({ count, firstSeen, lastSeen, days }: ObservedCall): Seen {
  return { calls: count, firstSeen, lastSeen, days };
}

/** Of two that are known by days the sum may count a day twice: the larger is what is sure. */
export function together(one: Seen | undefined, other: Seen): Seen {
  if (one === undefined) return other;
  return {
    calls: one.calls + other.calls,
    firstSeen: Math.min(one.firstSeen, other.firstSeen),
    lastSeen: Math.max(one.lastSeen, other.lastSeen),
    days: one.days === undefined || other.days === undefined ? undefined : Math.max(one.days, other.days),
  };
}

/** On at most every fourth day since it was first seen: a job that runs once a week is, one that is new is not. */
export function isRare({ days, firstSeen }: Seen, now: number): boolean {
  const since = (now - firstSeen) / DAY_MS;
  return days !== undefined && since >= 4 && days * 4 <= since;
}

export function evidenceOf(all: Seen, now: number): RuleEvidence {
  const { calls, firstSeen, lastSeen } = all;
  return { calls, firstSeen, lastSeen, rare: isRare(all, now) };
}

/** As `12 days`, `5 hours`. */
export function span(ms: number): string {
  const hours = Math.floor(Math.max(ms, 0) / 3_600_000);
  const of = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`;
  return hours >= 48 ? of(Math.floor(hours / 24), 'day') : of(hours, 'hour');
}
