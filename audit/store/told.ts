import { createHash } from 'node:crypto';
import type { StoreLocation } from './location.ts';
import { openPostgresEngine } from './postgres.ts';
import { integer } from './row.ts';
import type { Engine } from './sql.ts';
import { openSqliteFile } from './sqlite.ts';

/** Something to be told once by whoever sees it first. */
export interface Claim {
  readonly key: string;
  /** It may be told again after as long; infinity: never. */
  readonly againMs: number;
}

/** What all replicas together have told. */
export interface ToldStore {
  /** When the first of them began to look; `own` is when this one did. */
  since(own: number): Promise<number>;
  /**
   * The keys that nobody told before, or too long ago: whoever gets them is to tell. When it rejects, they may be claimed or not.
   */
  claim(claims: readonly Claim[], now: number): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

/** Claims in one transaction: other writers wait for none of its rows for long. */
const AT_ONCE = 100;
const TRIES = 3;
/** The key under which the beginning is kept: no rule makes an empty one. */
const SINCE = '';

const SINCE_ROW = `INSERT INTO alert_told (digest, at) VALUES (?, ?)
  ON CONFLICT (digest) DO UPDATE SET at = CASE WHEN excluded.at < alert_told.at THEN excluded.at ELSE alert_told.at END RETURNING at`;

const CLAIM_ROW = `INSERT INTO alert_told (digest, at) VALUES (?, ?)
  ON CONFLICT (digest) DO UPDATE SET at = excluded.at WHERE alert_told.at <= ? RETURNING at`;

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key.toWellFormed()).digest();
}

async function engineAt(location: StoreLocation, clock: () => Date): Promise<Engine> {
  return location.engine === 'sqlite' ? (await openSqliteFile(location.file, clock)).engine : openPostgresEngine(location, clock);
}

/** Opens the part of an audit store that holds what was alerted. Rejects when the store cannot be used. */
export async function openToldStore(location: StoreLocation, clock: () => Date): Promise<ToldStore> {
  const engine = await engineAt(location, clock);
  /** Again only where the engine says that nothing was done: what was claimed in a first try would look like another's. */
  const tried = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (attempt === TRIES || !engine.worthRetrying(error)) throw error;
      }
    }
  };
  return {
    since: (own) =>
      tried(() =>
        engine.write('shared', async (session) => {
          const [row = {}] = await session.all(SINCE_ROW, digestOf(SINCE), own);
          return integer(row, 'at');
        }),
      ),
    async claim(claims, now) {
      // In one order, as all replicas lock rows in it.
      const sorted = claims
        .map((claim) => ({ ...claim, digest: digestOf(claim.key) }))
        .sort((a, b) => a.digest.compare(b.digest));
      const own = new Set<string>();
      for (let from = 0; from < sorted.length; from += AT_ONCE) {
        const some = sorted.slice(from, from + AT_ONCE);
        const got = await tried(() =>
          engine.write('shared', async (session) => {
            const mine: string[] = [];
            for (const { key, againMs, digest } of some) {
              const before = Number.isFinite(againMs) ? now - againMs : -1;
              if ((await session.all(CLAIM_ROW, digest, now, before)).length > 0) mine.push(key);
            }
            return mine;
          }),
        );
        for (const key of got) own.add(key);
      }
      return own;
    },
    close: () => engine.close(),
  };
}
