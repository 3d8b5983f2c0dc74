import type { Row } from './row.ts';

export type SqlValue = string | number | Uint8Array | null;

/** A statement that adds rows. `text` columns are texts, `bytes` are bytes, all others integers. */
export interface Insert {
  readonly table: string;
  readonly columns: readonly string[];
  readonly text?: readonly string[];
  readonly bytes?: readonly string[];
  /** What follows ON CONFLICT; it names the table where it means the row that is there. */
  readonly onConflict: string;
}

/** A transaction. Statements are of both engines; parameters are `?`. */
export interface Session {
  all(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** How many rows it changed. */
  run(sql: string, ...values: readonly SqlValue[]): Promise<number>;
  /** Adds rows, none of which conflicts with another of them, in this order. */
  add(insert: Insert, rows: readonly (readonly SqlValue[])[]): Promise<void>;
  /** The ids of the edges with these digests that are there. */
  edgeIds(digests: readonly Uint8Array[]): Promise<readonly Row[]>;
}

/** The connection broke while a transaction was committed: it may be in the database, or not. */
export class CommitUnknown extends Error {}

/** A database. Reading sees one moment; a transaction that throws leaves nothing behind. */
export interface Engine {
  read<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** `alone`: while no other process or replica writes. */
  write<T>(mode: 'shared' | 'alone', work: (session: Session) => Promise<T>): Promise<T>;
  /** The transaction was undone, and may well do when it is tried again: others wrote what it wrote, or deleted what it knew. */
  worthRetrying(error: unknown): boolean;
  close(): Promise<void>;
}

const statements = new WeakMap<Insert, string>();

/** The insertion of one row. */
export function insertOne(insert: Insert): string {
  const known = statements.get(insert);
  if (known !== undefined) return known;
  const { table, columns, onConflict } = insert;
  const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')}) ON CONFLICT ${onConflict}`;
  statements.set(insert, sql);
  return sql;
}
