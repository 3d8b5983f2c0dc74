import { createHash } from 'node:crypto';
import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type Edge, type EdgeKey, keyText } from '../model/edge.ts';
import type { Loss } from '../model/loss.ts';
import { integer, keyColumns, tallyColumns } from './row.ts';
import {
  FORGET,
  FORGET_RECEIPTS,
  INSERT_EDGE,
  MIGRATIONS,
  SELECT_RECEIPT,
  UPSERT_BUCKET,
  UPSERT_LOSS,
  UPSERT_RECEIPT,
} from './schema.ts';
import { observe, schemaVersion } from './sqlite-read.ts';
import { type Batch, type Observed, type Period, type Receipt, StaleReceipt, type Store } from './store.ts';

export interface SqliteOptions {
  readonly file: string;
  readonly clock: () => Date;
  /** The file grows no further than this; then writing fails as on a full disk. */
  readonly maxBytes?: number;
  /** Minutes older than this are deleted, some with each batch; kept for ever if absent. */
  readonly retentionMs?: number;
  /** Tells runs of control planes apart; one for the life of a process. */
  readonly run?: string;
}

const THIS_PROCESS = `${process.pid} ${performance.timeOrigin}`;

const BUSY_TIMEOUT_MS = 5_000;
const MAX_KNOWN = 50_000;
/** So many old rows go with a batch: few enough not to hold it up, more than a batch usually adds. */
const FORGET_ROWS = 5_000;
/** An agent sends anew what was not acknowledged within seconds of being connected; none keeps it for as long. */
const RECEIPT_MS = 30 * 24 * 3_600_000;

/** Brings a store up to this version's schema. */
export function migrate(db: DatabaseSync, now: number): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec('CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT');
    const version = schemaVersion(db);
    if (version > MIGRATIONS.length)
      throw new Error(`the audit store has schema ${version}, written by a newer version of gatehouse`);
    MIGRATIONS.slice(version).forEach((step, index) => {
      db.exec(step);
      db.prepare('INSERT INTO migration (version, applied) VALUES (?, ?)').run(version + index + 1, now);
    });
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

/** SQLite gives its log and shared-memory files the mode of the database file, so that must be right first. */
export function createPrivate(file: string): void {
  closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600));
  chmodSync(file, 0o600);
}

/**
 * The store of one control plane. Write-ahead log with synchronous=NORMAL: what `append` resolved for survives a kill of
 * the process; a power loss may take the last transactions, but never leaves the file inconsistent.
 */
class SqliteStore implements Store {
  readonly #db: DatabaseSync;
  readonly #clock: () => Date;
  readonly #writer: number;
  readonly #insertEdge: StatementSync;
  readonly #upsertBucket: StatementSync;
  readonly #upsertLoss: StatementSync;
  readonly #touch: StatementSync;
  readonly #forget: StatementSync;
  readonly #selectReceipt: StatementSync;
  readonly #upsertReceipt: StatementSync;
  readonly #retentionMs: number | undefined;
  /** Row ids of keys that were written before; emptied when a transaction fails, since it may hold ids of that one. */
  #known = new Map<string, number>();

  constructor(db: DatabaseSync, { clock, retentionMs, run = THIS_PROCESS }: SqliteOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#retentionMs = retentionMs;
    this.#forget = db.prepare(FORGET);
    this.#insertEdge = db.prepare(INSERT_EDGE);
    this.#upsertBucket = db.prepare(UPSERT_BUCKET);
    this.#upsertLoss = db.prepare(UPSERT_LOSS);
    this.#touch = db.prepare('UPDATE writer SET last_write = ? WHERE id = ?');
    this.#selectReceipt = db.prepare(SELECT_RECEIPT);
    this.#upsertReceipt = db.prepare(UPSERT_RECEIPT);
    const now = clock().getTime();
    db.prepare(FORGET_RECEIPTS).run(now - RECEIPT_MS);
    const { lastInsertRowid } = db.prepare('INSERT INTO writer (started, last_write, run) VALUES (?, ?, ?)').run(now, now, run);
    this.#writer = Number(lastInsertRowid);
  }

  async append(batch: Batch): Promise<void> {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const now = this.#clock().getTime();
      this.#writeReceipts(batch.receipts ?? [], now);
      for (const edge of batch.edges) this.#writeEdge(edge);
      for (const loss of batch.losses) this.#writeLoss(loss);
      if (this.#retentionMs !== undefined) this.#forget.run(Math.floor((now - this.#retentionMs) / 60_000), FORGET_ROWS);
      this.#touch.run(now, this.#writer);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#known.clear();
      // SQLite ends the transaction itself on a full disk or an I/O error.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
    return Promise.resolve();
  }

  query(period: Period): Promise<Observed> {
    return Promise.resolve(observe(this.#db, period));
  }

  async close(): Promise<void> {
    try {
      this.#db.prepare('UPDATE writer SET stopped = ? WHERE id = ?').run(this.#clock().getTime(), this.#writer);
    } finally {
      this.#db.close();
    }
    return Promise.resolve();
  }

  received(source: string): Promise<number> {
    return Promise.resolve(this.#sequenceOf(source));
  }

  #sequenceOf(source: string): number {
    const row = this.#selectReceipt.get(source);
    return row === undefined ? 0 : integer(row, 'sequence');
  }

  #writeReceipts(receipts: readonly Receipt[], now: number): void {
    const stale = receipts.filter(({ source, after, upTo }) => {
      if (this.#sequenceOf(source) !== after) return true;
      this.#upsertReceipt.run({ source, after, upTo, now });
      return false;
    });
    if (stale.length > 0) throw new StaleReceipt(stale.map(({ source }) => source));
  }

  #writeEdge(edge: Edge): void {
    this.#upsertBucket.run(edge.minute, this.#idOf(edge.key), ...tallyColumns(edge.tally));
  }

  #writeLoss(loss: Loss): void {
    this.#upsertLoss.run(loss.minute, loss.reason, loss.count);
  }

  #idOf(key: EdgeKey): number {
    const text = keyText(key);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const digest = createHash('sha256').update(text).digest();
    const row = this.#insertEdge.get(digest, ...keyColumns(key));
    if (!row) throw new Error('SQLite returned no row id');
    const id = integer(row, 'id');
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(text, id);
    return id;
  }
}

/** Opens (makes, migrates) the store in a file of mode 0600. Throws when the file cannot be used. */
export function openSqliteStore(options: SqliteOptions): Store {
  createPrivate(options.file);
  const db = new DatabaseSync(options.file, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    migrate(db, options.clock().getTime());
    if (options.maxBytes !== undefined) {
      const page = db.prepare('PRAGMA page_size').get();
      db.exec(
        `PRAGMA max_page_count = ${Math.max(1, Math.floor(options.maxBytes / (page ? integer(page, 'page_size') : 4096)))}`,
      );
    }
    return new SqliteStore(db, options);
  } catch (error) {
    db.close();
    throw error;
  }
}
