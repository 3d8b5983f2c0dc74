import type { LossReason } from '../model/loss.ts';
import type { AccessRecord } from '../model/record.ts';

/** Where intake puts records. */
export interface Sink {
  /** Resolves when there is room for more; a stream reads its next message only then. Never rejects. */
  accept(records: readonly AccessRecord[]): Promise<void>;
  /** Counts records that could not even become one. */
  lose(reason: LossReason, count: number): void;
  /** Connections that begin. */
  announced?(records: readonly AccessRecord[]): void;
}

/** Told of every record once, whichever way it came. What it does must be quick, and cannot hold up a stream. */
export interface Observer {
  observe(records: readonly AccessRecord[]): void;
  /** Connections that begin. When they end, `observe` is told of them with `announced`. */
  announced?(records: readonly AccessRecord[]): void;
}

/** A sink that observers hear of first. */
export function observed(observers: readonly Observer[], sink: Sink): Sink {
  return {
    accept(records) {
      for (const observer of observers) observer.observe(records);
      return sink.accept(records);
    },
    lose: (reason, count) => sink.lose(reason, count),
    announced(records) {
      for (const observer of observers) observer.announced?.(records);
    },
  };
}
