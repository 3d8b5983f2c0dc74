import type { Logger } from 'pino';
import type { Claim, ToldStore } from '../../../audit/store/told.ts';

/** How replicas agree on who tells what. Never rejects: where they cannot agree, each tells, as twice is better than never. */
export interface Claims {
  /** When the first replica began to look; `own` where nobody can say. */
  since(own: number): Promise<number>;
  /** The keys that this replica is to tell. One question at a time, in order. */
  mine(claims: readonly Claim[], now: number): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

export interface ClaimsOptions {
  readonly open: () => Promise<ToldStore>;
  readonly clock: () => Date;
  readonly log: Logger;
  /** For as long nobody is asked after nobody answered, so that alerts do not wait for a database that is away. */
  readonly awayMs?: number;
}

export function sharedClaims({ open, clock, log, awayMs = 30_000 }: ClaimsOptions): Claims {
  let store: ToldStore | undefined;
  let askAgain = 0;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;

  const ask = async <T>(question: (store: ToldStore) => Promise<T>, otherwise: T): Promise<T> => {
    if (closed || clock().getTime() < askAgain) return otherwise;
    try {
      store ??= await open();
      return await question(store);
    } catch (error) {
      askAgain = clock().getTime() + awayMs;
      log.warn({ error }, 'replicas cannot agree on who tells of alerts; each tells its own');
      return otherwise;
    }
  };
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done;
    return done;
  };
  return {
    since: (own) => inTurn(() => ask((told) => told.since(own), own)),
    mine: (claims, now) => inTurn(() => ask((told) => told.claim(claims, now), new Set(claims.map(({ key }) => key)))),
    async close() {
      closed = true;
      await last;
      await store?.close().catch(() => undefined);
    },
  };
}
