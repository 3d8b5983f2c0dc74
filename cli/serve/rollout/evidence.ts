import { observedCalls } from '../../../audit/observed/calls.ts';
import type { RecorderStats } from '../../../audit/intake/recorder.ts';
import type { StoreQuestions } from '../../../audit/store/sqlite-read.ts';
import type { RecordedCalls, RolloutEvidence } from '../../../policy/rollout/ports.ts';

export interface EvidenceSources {
  readonly store: Pick<StoreQuestions, 'query'>;
  readonly recorder: () => RecorderStats;
  readonly clock: () => Date;
  /** Why others may have records that this store has not; undefined: nobody has. */
  readonly elsewhere: () => string | undefined;
  /** Until when others had records that this store has not. */
  readonly elsewhereUntil?: (() => number | undefined) | undefined;
}

/** Records wait for a fraction of a second; a store that has taken nothing of what waits for so long is broken. */
const STUCK_MS = 10_000;
const MINUTE_MS = 60_000;

/** What the audit store has, as evidence. */
export function storedEvidence({ store, recorder, clock, elsewhere, elsewhereUntil }: EvidenceSources): RolloutEvidence {
  let last = { written: -1, at: 0 };
  const stuck = (): string | undefined => {
    const { written, waiting } = recorder();
    const now = clock().getTime();
    // A clock that was set back begins anew.
    if (waiting === 0 || written !== last.written || now < last.at) last = { written, at: now };
    return now - last.at >= STUCK_MS ? `the audit store takes no records (${waiting} wait)` : undefined;
  };
  return {
    async calls(namespace, { since, until }): Promise<RecordedCalls> {
      stuck();
      const observed = await store.query({ since, until, filter: { to: { namespace } } });
      return {
        calls: observedCalls(observed.edges).filter(({ destination }) => destination.startsWith(`${namespace}/`)),
        gaps: observed.gaps.map(({ from, until: to }) => ({ from, until: to })),
        losses: observed.losses.map(({ minute, reason, count }) => ({ at: minute * MINUTE_MS, reason, count })),
        recordedSince: latest(latest(observed.recordedSince, observed.forgottenBefore), elsewhereUntil?.()),
      };
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
