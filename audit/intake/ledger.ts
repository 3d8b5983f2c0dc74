import type { LossReason } from '../model/loss.ts';
import type { AccessRecord } from '../model/record.ts';

/** What a message of a source holds. */
export interface Entry {
  readonly records: readonly AccessRecord[];
  /** Records that are lost, and when; ms since the epoch. */
  readonly lost?: { readonly reason: LossReason; readonly count: number; readonly at: number } | undefined;
}

/** Whoever sends the messages of a source is told of what became of them. */
export interface Follower {
  /** All up to this sequence is in the store. */
  stored(upTo: number): void;
  /** What was taken of the source is not in the store and will not be: the messages after what is there are to be sent again. */
  dropped(): void;
}

/** Where messages of sources go that send anew whatever they are not told to be in the store. */
export interface Ledger {
  /** Begins to follow a source, and gives the sequence up to which its messages are in the store. Rejects when the store cannot be asked. */
  follow(source: string, follower: Follower): Promise<{ readonly stored: number; readonly end: () => void }>;
  /** Resolves when there is room for more, true; or false when nothing more is taken. */
  room(): Promise<boolean>;
  /** Takes a message of a source that is followed. False for one that was taken before. */
  take(source: string, sequence: number, entry: () => Entry): boolean;
}
