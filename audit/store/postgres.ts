import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import { migrate, refuseOtherSchema } from './migrate.ts';
import { locationText, type StoreLocation } from './location.ts';
import { findPassword, type Login } from './password.ts';
import { PostgresEngine } from './postgres-engine.ts';
import { integer } from './row.ts';
import { THIS_RUN } from './run.ts';
import { ofPostgres } from './schema.ts';
import { type AuditStore, readerOf, storeOn } from './sql-store.ts';
import type { HistoryReader } from './store.ts';
import { DEFAULT_KEEPING, type Keeping } from './upkeep.ts';

type PostgresLocation = Extract<StoreLocation, { engine: 'postgres' }>;

export interface PostgresOptions {
  readonly location: PostgresLocation;
  readonly clock: () => Date;
  readonly keeping?: Keeping;
  readonly run?: string;
}

/** Says which database it was; PostgreSQL's own words say nothing of it. */
async function named<T>(location: PostgresLocation, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why =
      error instanceof AggregateError ? error.errors.map(String).join('; ') : error instanceof Error ? error.message : '';
    throw new Error(`the audit store at ${locationText(location)} cannot be used: ${why}`, { cause: error });
  }
}

/** Who logs in where; what the address leaves open is taken from the environment, as PostgreSQL's own programs do. */
function loginOf(url: URL, env: NodeJS.ProcessEnv): Login {
  return {
    host: url.searchParams.get('host') ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (env['PGPORT'] ?? '5432') : url.port,
    database: decodeURIComponent(url.pathname.slice(1)),
    user: url.username === '' ? (env['PGUSER'] ?? userInfo().username) : decodeURIComponent(url.username),
  };
}

/** Files are read anew for each pool, so that renewed certificates are taken. */
function tlsOf(url: URL): ConnectionOptions | false {
  const mode = url.searchParams.get('sslmode');
  if (mode === null || mode === 'disable') return false;
  const file = (name: string): Buffer | undefined => {
    const path = url.searchParams.get(name);
    return path === null ? undefined : readFileSync(path);
  };
  const [ca, cert, key] = [file('sslrootcert'), file('sslcert'), file('sslkey')];
  return { rejectUnauthorized: true, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function engineAt(location: PostgresLocation): PostgresEngine {
  const url = new URL(location.url);
  const login = loginOf(url, process.env);
  return new PostgresEngine({
    ...login,
    port: Number(login.port),
    ssl: tlsOf(url),
    // Asked for each connection, so that it can be changed while replicas run.
    password: () => findPassword(login, location.passwordFile, process.env) ?? '',
  });
}

/** Opens (migrates) the store to write, beside other replicas that do. */
export async function openPostgresEngine(location: PostgresLocation, clock: () => Date): Promise<PostgresEngine> {
  const engine = engineAt(location);
  try {
    await named(location, () =>
      engine.write('alone', (session) =>
        migrate(session, clock().getTime(), {
          // Without parameters several statements are one message.
          exec: (to, sql) => to.all(sql),
          step: ofPostgres,
        }),
      ),
    );
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/**
 * The store of replicas. Rejects when the database cannot be used. What `append` resolved for is as durable as the server makes a commit:
 * with synchronous_commit on (its default), it survives power loss.
 */
export async function openPostgresStore(options: PostgresOptions): Promise<AuditStore> {
  const { location, clock, keeping = DEFAULT_KEEPING, run = THIS_RUN } = options;
  const engine = await openPostgresEngine(location, clock);
  try {
    return await storeOn(engine, { clock, keeping, run });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

export async function openPostgresReader(location: PostgresLocation): Promise<HistoryReader> {
  const engine = engineAt(location);
  try {
    const version = await named(location, () =>
      engine.read(async (session) => {
        const [table = {}] = await session.all("SELECT to_regclass('migration') IS NOT NULL AS there");
        if (table['there'] !== true) return 0;
        const [row = {}] = await session.all('SELECT coalesce(max(version), 0) AS version FROM migration');
        return integer(row, 'version');
      }),
    );
    refuseOtherSchema(version, locationText(location));
    return readerOf(engine);
  } catch (error) {
    await engine.close();
    throw error;
  }
}
