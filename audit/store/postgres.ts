import { readFileSync } from 'node:fs';
import { migrate, refuseOtherSchema } from './migrate.ts';
import { locationText, type StoreLocation } from './location.ts';
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

function engineAt({ url, passwordFile }: PostgresLocation): PostgresEngine {
  return new PostgresEngine({
    connectionString: url,
    ...(passwordFile !== undefined && { password: () => readFileSync(passwordFile, 'utf8').trimEnd() }),
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
