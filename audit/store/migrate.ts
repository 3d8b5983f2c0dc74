import { dimensionColumns, integer, keyOf } from './row.ts';
import { DIMENSION_COLUMNS, DIMENSIONS_STEP, MIGRATIONS } from './schema.ts';
import type { Session } from './sql.ts';

/** What differs between engines. */
export interface Dialect {
  /** Several statements at once. */
  readonly exec: (session: Session, sql: string) => Promise<unknown>;
  readonly step: (sql: string) => string;
}

const BACKFILL = `UPDATE edge SET ${DIMENSION_COLUMNS.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`;

/** Brings a store up to this version's schema, in a transaction while nobody else does. */
export async function migrate(session: Session, now: number, { exec, step }: Dialect): Promise<void> {
  await exec(
    session,
    step('CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT').replace(
      ' GENERATED ALWAYS AS IDENTITY',
      '',
    ),
  );
  const [row = {}] = await session.all('SELECT coalesce(max(version), 0) AS version FROM migration');
  const version = integer(row, 'version');
  if (version > MIGRATIONS.length)
    throw new Error(`the audit store has schema ${version}, written by a newer version of gatehouse`);
  for (const [index, sql] of MIGRATIONS.slice(version).entries()) {
    const number = version + index + 1;
    await exec(session, step(sql));
    if (number === DIMENSIONS_STEP)
      for (const edge of await session.all('SELECT * FROM edge'))
        await session.run(BACKFILL, ...dimensionColumns(keyOf(edge)), integer(edge, 'id'));
    await session.run('INSERT INTO migration (version, applied) VALUES (?, ?)', number, now);
  }
}

/** Throws for a store whose schema is not of this version, which a reader leaves as it is. */
export function refuseOtherSchema(version: number, name: string): void {
  if (version === 0) throw new Error(`${name} is not an audit store`);
  if (version > MIGRATIONS.length)
    throw new Error(`${name} was written by a newer version (schema ${version}); update gatehouse to read it`);
  if (version < MIGRATIONS.length)
    throw new Error(`${name} has the older schema ${version}; start the control plane once to bring it up to date`);
}
