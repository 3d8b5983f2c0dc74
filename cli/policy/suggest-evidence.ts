import { type DaysByKey, observedCalls } from '../../audit/observed/calls.ts';
import { lengthText } from '../../audit/report/about.ts';
import type { Question } from '../../audit/report/question.ts';
import type { Observed } from '../../audit/store/store.ts';
import type { ObservedCall } from '../../policy/observed/call.ts';

/** What records say of a period. */
export interface Evidence {
  readonly calls: readonly ObservedCall[];
  /** Since when there are records; undefined: nobody knows. */
  readonly since: number | undefined;
  readonly until: number;
  /** What the records do not have, in words. */
  readonly missing: readonly string[];
}

function missingFrom({ losses, gaps, forgottenBefore }: Observed, since: number | undefined): readonly string[] {
  const lost = losses.reduce((sum, { count }) => sum + count, 0);
  const away = gaps.reduce((sum, { from, until }) => sum + until - from, 0);
  return [
    ...(lost === 0 ? [] : [`${lost} records of calls were lost`]),
    ...(gaps.length === 0 ? [] : [`nobody recorded for ${lengthText(away)} (${gaps.length} gaps)`]),
    ...(forgottenBefore !== undefined && since !== undefined && forgottenBefore > since
      ? [`what was before ${new Date(forgottenBefore).toISOString()} is no longer kept`]
      : []),
  ];
}

export function evidenceFrom(observed: Observed, { period }: Pick<Question, 'period'>, now: Date, days?: DaysByKey): Evidence {
  const { recordedSince, forgottenBefore } = observed;
  const bounds = [period.since, recordedSince, forgottenBefore].flatMap((one) => (one === undefined ? [] : [one]));
  return {
    calls: observedCalls(observed.edges, days),
    since: bounds.length === 0 ? undefined : Math.max(...bounds),
    until: period.until ?? now.getTime(),
    missing: missingFrom(observed, period.since),
  };
}
