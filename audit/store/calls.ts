import { parseHostname } from '../../mesh/model/hostname.ts';
import type { Call } from '../model/call.ts';
import type { StoreLocation } from './location.ts';
import { openPostgresEngine } from './postgres.ts';
import { integer, type Row } from './row.ts';
import type { Engine } from './sql.ts';
import { openSqliteFile } from './sqlite.ts';
import { CALL, FORGET_CALLS, SELECT_CALLS } from './statements.ts';

/** Where it is kept which workload calls what. One writer for each replica. */
export interface CallStore {
  /** Of which some call was seen since then. */
  read(since: number): Promise<readonly Call[]>;
  /** Adds these, no two of one workload and service, and forgets those that were not seen since then. All of it or nothing. */
  write(calls: readonly Call[], forgetBefore: number): Promise<void>;
  close(): Promise<void>;
}

function callOf(row: Row): readonly Call[] {
  const { workload } = row;
  const service = typeof row['service'] === 'string' ? parseHostname(row['service']) : undefined;
  if (typeof workload !== 'string' || service === undefined) return [];
  return [{ workload, service, firstSeen: integer(row, 'first_seen'), lastSeen: integer(row, 'last_seen') }];
}

/** In one order, as all replicas lock rows in it. */
const inOrder = (a: Call, b: Call): number => (`${a.workload} ${a.service}` < `${b.workload} ${b.service}` ? -1 : 1);

async function engineAt(location: StoreLocation, clock: () => Date): Promise<Engine> {
  return location.engine === 'sqlite' ? (await openSqliteFile(location.file, clock)).engine : openPostgresEngine(location, clock);
}

/** Opens the part of an audit store that holds calls, beside whoever else has it open. Rejects when the store cannot be used. */
export async function openCallStore(location: StoreLocation, clock: () => Date): Promise<CallStore> {
  const engine = await engineAt(location, clock);
  return {
    read: (since) => engine.read(async (session) => (await session.all(SELECT_CALLS, since)).flatMap(callOf)),
    write: (calls, forgetBefore) =>
      engine.write('shared', async (session) => {
        await session.add(
          CALL,
          calls.toSorted(inOrder).map(({ workload, service, firstSeen, lastSeen }) => [workload, service, firstSeen, lastSeen]),
        );
        await session.run(FORGET_CALLS, forgetBefore);
      }),
    close: () => engine.close(),
  };
}
