import { type DaysByKey, observedCalls } from '../../../audit/observed/calls.ts';
import { daysByKey } from '../../../audit/observed/days.ts';
import type { RecorderStats } from '../../../audit/intake/recorder.ts';
import type { Observed } from '../../../audit/store/store.ts';
import type { StoreQuestions } from '../../../audit/store/sqlite-read.ts';
import type { RecordedCalls, RolloutEvidence } from '../../../policy/rollout/ports.ts';
import { stuckStore } from './records-elsewhere.ts';

export interface EvidenceSources {
  readonly store: Pick<StoreQuestions, 'query'>;
  readonly recorder: () => RecorderStats;
  readonly clock: () => Date;
  /** Why others may have records that this store has not; undefined: nobody has. */
  readonly elsewhere: () => string | undefined;
  /** Until when others had records that this store has not. */
  readonly elsewhereUntil?: (() => number | undefined) | undefined;
}

const MINUTE_MS = 60_000;

/** What the audit store has, as evidence. */
export function storedEvidence({ store, recorder, clock, elsewhere, elsewhereUntil }: EvidenceSources): RolloutEvidence {
  const stuck = stuckStore(recorder, clock);
  const recorded = (namespace: string, observed: Observed, days?: DaysByKey): RecordedCalls => ({
    calls: observedCalls(observed.edges, days).filter(({ destination }) => destination.startsWith(`${namespace}/`)),
    gaps: observed.gaps.map(({ from, until }) => ({ from, until })),
    losses: observed.losses.map(({ minute, reason, count }) => ({ at: minute * MINUTE_MS, reason, count })),
    recordedSince: latest(latest(observed.recordedSince, observed.forgottenBefore), elsewhereUntil?.()),
  });
  return {
    async calls(namespace, { since, until }) {
      stuck();
      return recorded(namespace, await store.query({ since, until, filter: { to: { namespace } } }));
    },
    async callsByDay(namespace, { since, until }) {
      const filter = { to: { namespace } };
      const observed = await store.query({ since, until, filter });
      return recorded(namespace, observed, await daysByKey(store, observed, { until, filter }));
    },
    async denied(namespace, since) {
      const { edges } = await store.query({ since, until: undefined, filter: { to: { namespace }, verdict: 'denied' } });
      return observedCalls(edges).filter(({ destination }) => destination.startsWith(`${namespace}/`));
    },
    incomplete: () => elsewhere() ?? stuck(),
  };
}

/** What was forgotten is not recorded any more. */
function latest(since: number | undefined, forgottenBefore: number | undefined): number | undefined {
  return since === undefined || forgottenBefore === undefined ? since : Math.max(since, forgottenBefore);
}
