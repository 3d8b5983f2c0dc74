import { Pool, type PoolClient, type PoolConfig, types } from 'pg';
import type { Row } from './row.ts';
import { CommitUnknown, type Engine, type Insert, insertOne, type Session, type SqlValue } from './sql.ts';

/** Held by all that write, together, or by the one that rolls up or migrates, alone; until the transaction ends. */
const LOCK = 0x6761_7465;

const POOL = 4;
const CONNECT_MS = 10_000;
/** A statement that takes longer is given up: what it waits for is another replica that hangs, or a disk. */
const STATEMENT_MS = 60_000;

// https://www.postgresql.org/docs/current/errcodes-appendix.html: foreign_key_violation, serialization_failure, deadlock_detected.
const RETRIED: ReadonlySet<unknown> = new Set(['23503', '40001', '40P01']);
const INT8 = 20;

function int8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`the audit store holds ${text}, which is too large`);
  return value;
}

const numbered = new Map<string, string>();

/** `?` as `$1`, `$2`, ...; no statement has a question mark of its own. */
function ofPostgresParameters(sql: string): string {
  const known = numbered.get(sql);
  if (known !== undefined) return known;
  let count = 0;
  const result = sql.replaceAll('?', () => `$${++count}`);
  if (numbered.size > 500) numbered.clear();
  numbered.set(sql, result);
  return result;
}

/** One statement for all rows: a parameter for each column. */
function insertMany(insert: Insert): string {
  const { table, columns, text = [], bytes = [], onConflict } = insert;
  const arrays = columns.map((column, index) => {
    const type = text.includes(column) ? 'text' : bytes.includes(column) ? 'bytea' : 'bigint';
    return `$${index + 1}::${type}[]`;
  });
  return `INSERT INTO ${table} (${columns.join(', ')}) SELECT * FROM unnest(${arrays.join(', ')}) ON CONFLICT ${onConflict}`;
}

class PostgresSession implements Session {
  readonly #client: PoolClient;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async all(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]> {
    const { rows } = await this.#client.query<Row>(ofPostgresParameters(sql), [...values]);
    return rows;
  }

  async run(sql: string, ...values: readonly SqlValue[]): Promise<number> {
    const { rowCount } = await this.#client.query(ofPostgresParameters(sql), [...values]);
    return rowCount ?? 0;
  }

  async add(insert: Insert, rows: readonly (readonly SqlValue[])[]): Promise<void> {
    if (rows.length === 0) return;
    if (rows.length === 1) {
      await this.run(insertOne(insert), ...(rows[0] ?? []));
      return;
    }
    await this.#client.query(
      insertMany(insert),
      insert.columns.map((_, column) => rows.map((row) => row[column])),
    );
  }

  edgeIds(digests: readonly Uint8Array[]): Promise<readonly Row[]> {
    return this.#client
      .query<Row>('SELECT id, digest FROM edge WHERE digest = ANY($1::bytea[])', [digests])
      .then(({ rows }) => rows);
  }
}

/** Throws CommitUnknown unless the server itself says that it did not commit. */
async function commit(client: PoolClient): Promise<void> {
  try {
    await client.query('COMMIT');
  } catch (error) {
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    // Five characters are an answer of the server; of class 57 it gives them when it goes away itself.
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('57') && !code.startsWith('08')) throw error;
    throw new CommitUnknown('the connection to the audit store broke while it was written', { cause: error });
  }
}

/** A database that several replicas may write to at once. Owns its connections. */
export class PostgresEngine implements Engine {
  readonly #pool: Pool;

  constructor(config: PoolConfig) {
    this.#pool = new Pool({
      max: POOL,
      connectionTimeoutMillis: CONNECT_MS,
      statement_timeout: STATEMENT_MS,
      idle_in_transaction_session_timeout: STATEMENT_MS,
      query_timeout: STATEMENT_MS + CONNECT_MS,
      keepAlive: true,
      application_name: 'gatehouse',
      ...config,
      types: {
        getTypeParser: (...[id, format]: Parameters<typeof types.getTypeParser>): unknown =>
          (id as number) === INT8 && format !== 'binary' ? int8 : types.getTypeParser(id, format),
      },
    });
    // An idle connection that breaks is taken out of the pool; the next statement makes another.
    this.#pool.on('error', () => undefined);
  }

  read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#transaction('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', work);
  }

  write<T>(mode: 'shared' | 'alone', work: (session: Session) => Promise<T>): Promise<T> {
    const lock = mode === 'alone' ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared';
    // The statements after the lock see what was committed before it was had: each has a snapshot of its own.
    return this.#transaction('BEGIN ISOLATION LEVEL READ COMMITTED', async (session) => {
      await session.all(`SELECT ${lock}(${LOCK})`);
      return work(session);
    });
  }

  worthRetrying(error: unknown): boolean {
    return error instanceof Error && 'code' in error && RETRIED.has(error.code);
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #transaction<T>(begin: string, work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    // Between statements nobody else listens.
    const onError = (error: Error): void => {
      broken = error;
    };
    client.on('error', onError);
    try {
      await client.query(begin);
      const value = await work(new PostgresSession(client));
      await commit(client);
      return value;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: unknown) => {
        broken = failure instanceof Error ? failure : new Error(String(failure));
      });
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }
}
