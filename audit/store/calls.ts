import { DatabaseSync } from 'node:sqlite';
import { parseHostname } from '../../mesh/model/hostname.ts';
import type { Call } from '../model/call.ts';
import { integer } from './row.ts';
import { FORGET_CALLS, SELECT_CALLS, UPSERT_CALL } from './schema.ts';
import { createPrivate, migrate } from './sqlite.ts';

/** Where it is kept which workload calls what. One writer for each replica. */
export interface CallStore {
  /** Of which some call was seen since then. */
  read(since: number): readonly Call[];
  /** Adds these, and forgets those that were not seen since then. All of it or nothing. */
  write(calls: readonly Call[], forgetBefore: number): void;
  close(): void;
}

const BUSY_TIMEOUT_MS = 5_000;

/** Opens the part of an audit store that holds calls, beside whoever else has it open. Throws when the file cannot be used. */
export function openCallStore(file: string, clock: () => Date): CallStore {
  createPrivate(file);
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    migrate(db, clock().getTime());
  } catch (error) {
    db.close();
    throw error;
  }
  const select = db.prepare(SELECT_CALLS);
  const upsert = db.prepare(UPSERT_CALL);
  const forget = db.prepare(FORGET_CALLS);
  return {
    read: (since) =>
      select.all(since).flatMap((row): readonly Call[] => {
        const { workload } = row;
        const service = typeof row['service'] === 'string' ? parseHostname(row['service']) : undefined;
        if (typeof workload !== 'string' || service === undefined) return [];
        return [{ workload, service, firstSeen: integer(row, 'first_seen'), lastSeen: integer(row, 'last_seen') }];
      }),
    write(calls, forgetBefore) {
      db.exec('BEGIN IMMEDIATE');
      try {
        for (const { workload, service, firstSeen, lastSeen } of calls) upsert.run(workload, service, firstSeen, lastSeen);
        forget.run(forgetBefore);
        db.exec('COMMIT');
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => db.close(),
  };
}
