import { resolve } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Row } from './row.ts';
import { type Engine, insertOne, type Session, type SqlValue } from './sql.ts';

const BUSY_TIMEOUT_MS = 5_000;
const MAX_STATEMENTS = 200;

// https://www.sqlite.org/rescode.html
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const SQLITE_CONSTRAINT_FOREIGNKEY = 787;

function errcode(error: unknown): number | undefined {
  const code: unknown = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code : undefined;
}

/** Says what to do about a file that SQLite finds damaged. */
function explained(error: unknown, file: string): unknown {
  const code = errcode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  if ((code & 0xff) !== SQLITE_CORRUPT && (code & 0xff) !== SQLITE_NOTADB) return error;
  return new Error(
    `the audit store ${file} is damaged (${error.message}): move it away together with ${file}-wal and ${file}-shm, and a new one is made; what is readable in it can be had with sqlite3's .recover`,
    { cause: error },
  );
}

/** Runs what SQLite does at once, one statement after the other. */
class SqliteSession implements Session {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  all(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]> {
    return Promise.resolve(this.#prepared(sql).all(...this.#inputs(values)));
  }

  run(sql: string, ...values: readonly SqlValue[]): Promise<number> {
    return Promise.resolve(Number(this.#prepared(sql).run(...this.#inputs(values)).changes));
  }

  add(insert: Parameters<Session['add']>[0], rows: Parameters<Session['add']>[1]): Promise<void> {
    if (rows.length > 0) {
      const statement = this.#prepared(insertOne(insert));
      for (const row of rows) statement.run(...this.#inputs(row));
    }
    return Promise.resolve();
  }

  edgeIds(digests: readonly Uint8Array[]): Promise<readonly Row[]> {
    const statement = this.#prepared('SELECT id, digest FROM edge WHERE digest = ?');
    return Promise.resolve(digests.flatMap((digest) => statement.all(digest)));
  }

  #inputs(values: readonly SqlValue[]): SQLInputValue[] {
    return [...values];
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.clear();
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Who of this process writes to a file, by its name: a transaction lasts over turns of the event loop, and SQLite would stand still waiting
 * for another connection of the same process.
 */
const writing = new Map<string, Promise<unknown>>();

/** Does it when all that asked before for this file are done. */
function inTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
  const before = writing.get(file) ?? Promise.resolve();
  const done = before.then(work);
  const settled = done
    .catch(() => undefined)
    .then(() => {
      if (writing.get(file) === settled) writing.delete(file);
    });
  writing.set(file, settled);
  return done;
}

/** One connection to a file; transactions take turns. Owns the connection. */
export class SqliteEngine implements Engine {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #session: Session;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(db: DatabaseSync, file: string) {
    this.#db = db;
    this.#file = resolve(file);
    this.#session = new SqliteSession(db);
  }

  read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#transaction('BEGIN', work);
  }

  /** There is but one writer at a time. */
  write<T>(_mode: 'shared' | 'alone', work: (session: Session) => Promise<T>): Promise<T> {
    return this.#transaction('BEGIN IMMEDIATE', work, (all) => inTurn(this.#file, all));
  }

  worthRetrying(error: unknown): boolean {
    return errcode(error) === SQLITE_CONSTRAINT_FOREIGNKEY;
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#db.close();
  }

  #transaction<T>(
    begin: string,
    work: (session: Session) => Promise<T>,
    when: (all: () => Promise<T>) => Promise<T> = (all) => all(),
  ): Promise<T> {
    const all = async (): Promise<T> => {
      try {
        this.#db.exec(begin);
        const value = await work(this.#session);
        this.#db.exec('COMMIT');
        return value;
      } catch (error) {
        // SQLite ends the transaction itself on a full disk or an I/O error.
        if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw explained(error, this.#file);
      }
    };
    const done = this.#turn.then(() => when(all));
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** @param writing also sets what holds for the file: a write-ahead log, of which a kill of the process loses nothing */
export function openSqlite(file: string | URL, name: string, writing: boolean): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, readOnly: !writing });
    db.exec('PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY');
    if (writing) db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    return db;
  } catch (error) {
    db?.close();
    throw explained(error, name);
  }
}
