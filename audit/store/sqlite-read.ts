import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { isLossReason } from '../model/loss.ts';
import { edgeOf, integer } from './row.ts';
import { MIGRATIONS, SELECT_EDGES, SELECT_GAPS, SELECT_LOSSES } from './schema.ts';
import type { Observed, Period, StoreReader } from './store.ts';

const FOREVER = Number.MAX_SAFE_INTEGER;
const BUSY_TIMEOUT_MS = 5_000;

export function schemaVersion(db: DatabaseSync): number {
  const table = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migration'").get();
  if (!table) return 0;
  const row = db.prepare('SELECT coalesce(max(version), 0) AS version FROM migration').get();
  return row ? integer(row, 'version') : 0;
}

/** Reads in one transaction, so that edges, losses and gaps are of the same moment. */
export function observe(db: DatabaseSync, period: Period): Observed {
  const since = period.since ?? 0;
  const until = period.until ?? FOREVER;
  const [first, last] = [Math.floor(since / 60_000), Math.floor((until - 1) / 60_000)];
  db.exec('BEGIN');
  try {
    const edges = db.prepare(SELECT_EDGES).all(first, last, since, until).map(edgeOf);
    const losses = db
      .prepare(SELECT_LOSSES)
      .all(first, last)
      .flatMap((row) => {
        const { reason } = row;
        return typeof reason === 'string' && isLossReason(reason)
          ? [{ minute: integer(row, 'minute'), reason, count: integer(row, 'count') }]
          : [];
      });
    const gaps = db
      .prepare(SELECT_GAPS)
      .all(since, until)
      .map((row) => ({ from: integer(row, 'since'), until: integer(row, 'until'), killed: integer(row, 'killed') === 1 }));
    return { edges, losses, gaps };
  } finally {
    db.exec('COMMIT');
  }
}

/**
 * Opens a store to read beside its writer. Without a write-ahead log the writer closed it; then the file is whole and
 * can be read even where its folder cannot be written to.
 */
export function openSqliteReader(file: string): StoreReader {
  if (!existsSync(file)) throw new Error(`there is no audit store at ${file}`);
  const url = pathToFileURL(file);
  if (!existsSync(`${file}-wal`)) url.searchParams.set('immutable', '1');
  const db = new DatabaseSync(url, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    const version = schemaVersion(db);
    if (version === 0) throw new Error(`${file} is not an audit store`);
    if (version > MIGRATIONS.length)
      throw new Error(`${file} was written by a newer version (schema ${version}); update gatehouse to read it`);
    if (version < MIGRATIONS.length)
      throw new Error(`${file} has the older schema ${version}; start the control plane once to bring it up to date`);
  } catch (error) {
    db.close();
    throw error;
  }
  return {
    query: (period) => Promise.resolve(observe(db, period)),
    close: () => Promise.resolve(db.close()),
  };
}

/** Reads a file anew for each question, so that it may come later, be replaced or be written by another process. */
export function sqliteFileReader(file: string): Pick<StoreReader, 'query'> {
  return {
    async query(period) {
      const reader = openSqliteReader(file);
      try {
        return await reader.query(period);
      } finally {
        await reader.close();
      }
    },
  };
}
