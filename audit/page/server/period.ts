import type { Parsed } from '../../../ca/identity/parsed.ts';
import { parseQuestion } from '../../report/question.ts';

/** Milliseconds since the epoch. */
export interface ClosedPeriod {
  readonly since: number;
  readonly until: number;
}

const MINUTE_MS = 60_000;
const DEFAULT_SINCE = '1h';

/** Whole minutes, as the store counts, so that all who look at the same time ask the same. */
export function parsePeriod(query: Readonly<Record<string, unknown>>, now: Date): Parsed<ClosedPeriod> {
  const of = (name: string): string | undefined => {
    const value = query[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const until = of('until');
  const since = of('since') ?? (until === undefined ? DEFAULT_SINCE : undefined);
  const question = parseQuestion({ since, until }, now);
  if (!question.ok) return question;
  const { period } = question.value;
  return {
    ok: true,
    value: {
      since: Math.floor((period.since ?? 0) / MINUTE_MS) * MINUTE_MS,
      until: Math.ceil((period.until ?? now.getTime() + 1) / MINUTE_MS) * MINUTE_MS,
    },
  };
}

export function spanOf({ since, until }: ClosedPeriod): { readonly since: string; readonly until: string } {
  return { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
}
