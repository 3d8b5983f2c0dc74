import { hash } from 'node:crypto';
import type { LogFiles } from '../files.ts';

/** A log that others may follow: the own one, or a copy. Only what is on disk for good counts. */
export interface FollowedLog {
  readonly verifierKey: string;
  readonly files: LogFiles;
  readonly own: boolean;
  bytes(): number;
  checkpointBytes(): number;
  /** Called when there is more; returns how to stop. */
  onGrowth(listener: () => void): () => void;
}

/** Names a log among others: by its key, which nobody else has. */
export function originOf(verifierKey: string): string {
  return hash('sha256', verifierKey, 'hex').slice(0, 16);
}

/** The SPIFFE ID path under which replicas of a control plane know each other: no workload can have it. */
export const REPLICA_PATH = '/gatehouse/replica';
