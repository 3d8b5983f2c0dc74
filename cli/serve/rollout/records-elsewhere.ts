import { randomUUID } from 'node:crypto';
import type { RecorderStats } from '../../../audit/intake/recorder.ts';
import { locationText, type StoreLocation } from '../../../audit/store/location.ts';
import type { OtherReplica } from '../../../kubernetes/replicas/replicas.ts';

/** Records wait for a fraction of a second; a store that has taken nothing of what waits for so long is broken. */
const STUCK_MS = 10_000;

/** Says why the store takes no records; to be asked now and then. Undefined: it does. */
export function stuckStore(
  recorder: () => Pick<RecorderStats, 'written' | 'waiting'>,
  clock: () => Date,
): () => string | undefined {
  let last = { written: -1, at: 0 };
  return () => {
    const { written, waiting } = recorder();
    const now = clock().getTime();
    // A clock that was set back begins anew.
    if (waiting === 0 || written !== last.written || now < last.at) last = { written, at: now };
    return now - last.at >= STUCK_MS ? `the audit store takes no records (${waiting} wait)` : undefined;
  };
}

/** Replicas that say the same have the same store. A file is nobody else's. */
export function storeName(location: StoreLocation): string {
  return location.engine === 'sqlite' ? `file ${randomUUID()}` : locationText(location);
}

export interface RecordsElsewhere {
  readonly reason: string;
  /** Whether records of others are kept where they are never seen here, not only later. */
  readonly apart: boolean;
}

/** Why records of other replicas may not be in the store that is named; undefined: all are. Doubt counts. */
export function recordsElsewhere(store: string, others: readonly OtherReplica[]): RecordsElsewhere | undefined {
  const running = others.filter(({ present }) => present);
  // Who has said nothing yet has no proxies yet, or is about to say it.
  const apart = running.find(({ report }) => report?.records !== undefined && report.records.store !== store);
  if (apart !== undefined)
    return {
      apart: true,
      reason:
        'several replicas run, each with records of its own: only with one PostgreSQL (--audit-db postgres://...) are all there',
    };
  for (const { id, report } of running) {
    if (report?.records === undefined)
      return { apart: false, reason: `replica ${id} does not say yet where it keeps its records` };
    if (report.records.stuck !== undefined) return { apart: false, reason: `replica ${id}: ${report.records.stuck}` };
  }
  return undefined;
}
