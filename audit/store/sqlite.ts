import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { migrate as migrateSchema } from './migrate.ts';
import { integer } from './row.ts';
import { type AuditStore, storeOn } from './sql-store.ts';
import { openSqlite, SqliteEngine } from './sqlite-engine.ts';
import { THIS_RUN } from './run.ts';
import { DEFAULT_KEEPING, type Keeping } from './upkeep.ts';

export interface SqliteOptions {
  readonly file: string;
  readonly clock: () => Date;
  /** The file grows no further than this; then writing fails as on a full disk. */
  readonly maxBytes?: number;
  readonly keeping?: Keeping;
  /** Tells runs of control planes apart; one for the life of a process. */
  readonly run?: string;
}

/** Makes (migrates) the file of a store, of mode 0600, and opens it to write. */
export async function openSqliteFile(file: string, clock: () => Date): Promise<{ db: DatabaseSync; engine: SqliteEngine }> {
  createPrivate(file);
  const db = openSqlite(file, file, true);
  const engine = new SqliteEngine(db, file);
  try {
    await engine.write('alone', (session) =>
      migrateSchema(session, clock().getTime(), {
        exec: async (_session, sql) => Promise.resolve(db.exec(sql)),
        step: (sql) => sql,
      }),
    );
    return { db, engine };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** SQLite gives its log and shared-memory files the mode of the database file, so that must be right first. */
function createPrivate(file: string): void {
  closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600));
  chmodSync(file, 0o600);
}

/**
 * Opens (makes, migrates) the store in a file of mode 0600. Rejects when the file cannot be used. Write-ahead log with synchronous=NORMAL:
 * what `append` resolved for survives a kill of the process; a power loss may take the last transactions, but never leaves the file inconsistent.
 */
export async function openSqliteStore(options: SqliteOptions): Promise<AuditStore> {
  const { file, clock, maxBytes, keeping = DEFAULT_KEEPING, run = THIS_RUN } = options;
  const { db, engine } = await openSqliteFile(file, clock);
  try {
    if (maxBytes !== undefined) {
      const page = db.prepare('PRAGMA page_size').get();
      db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / (page ? integer(page, 'page_size') : 4096)))}`);
    }
    return await storeOn(engine, { clock, keeping, run });
  } catch (error) {
    await engine.close();
    throw error;
  }
}
