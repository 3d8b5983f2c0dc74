import { DatabaseSync } from 'node:sqlite';
import type { Pending } from './courier.ts';
import type { AlertState } from './engine.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS since (ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS told (key TEXT PRIMARY KEY, ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (webhook TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, ms INTEGER NOT NULL,
  PRIMARY KEY (webhook, id));
`;

/** What was told already and what is still to be delivered: one SQLite file, so that neither is forgotten nor told twice after a restart. */
export class AlertStore {
  readonly #db: DatabaseSync;
  readonly state: AlertState;

  /** @throws Error when the file cannot be used */
  constructor(file: string, now: Date) {
    this.#db = new DatabaseSync(file);
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;');
    this.#db.exec(SCHEMA);
    this.#db.prepare('INSERT INTO since SELECT ? WHERE NOT EXISTS (SELECT 1 FROM since)').run(now.getTime());
    const told = new Map<string, number>();
    for (const { key, ms } of this.#db.prepare('SELECT key, ms FROM told').all()) told.set(String(key), Number(ms));
    this.state = { since: Number(this.#db.prepare('SELECT ms FROM since').get()?.['ms'] ?? now.getTime()), told };
  }

  keep(told: ReadonlyMap<string, number>, pending: readonly (Pending & { readonly webhook: string })[]): void {
    const tell = this.#db.prepare('INSERT INTO told VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET ms = excluded.ms');
    const wait = this.#db.prepare('INSERT OR IGNORE INTO pending VALUES (?, ?, ?, ?)');
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const [key, ms] of told) tell.run(key, ms);
      for (const { webhook, id, body, at } of pending) wait.run(webhook, id, body, at);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  pendingFor(webhook: string): readonly Pending[] {
    return this.#db
      .prepare('SELECT id, body, ms FROM pending WHERE webhook = ? ORDER BY ms, id')
      .all(webhook)
      .map(({ id, body, ms }) => ({ id: String(id), body: String(body), at: Number(ms) }));
  }

  done(webhook: string, id: string): void {
    this.#db.prepare('DELETE FROM pending WHERE webhook = ? AND id = ?').run(webhook, id);
  }

  close(): void {
    this.#db.close();
  }
}
