import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { StoreLocation } from './location.ts';
import { openPostgresReader, openPostgresStore } from './postgres.ts';
import type { AuditStore } from './sql-store.ts';
import { openSqliteStore } from './sqlite.ts';
import { eachTime, sqliteFileReader, type StoreQuestions } from './sqlite-read.ts';
import type { Keeping } from './upkeep.ts';

/** Opens a store wherever it is, making what is not there. */
export async function openStore(location: StoreLocation, clock: () => Date, keeping?: Keeping): Promise<AuditStore> {
  const options = { clock, ...(keeping !== undefined && { keeping }) };
  switch (location.engine) {
    case 'sqlite':
      mkdirSync(dirname(location.file), { recursive: true, mode: 0o700 });
      return openSqliteStore({ file: location.file, ...options });
    case 'postgres':
      return openPostgresStore({ location, ...options });
    default:
      return location satisfies never;
  }
}

/** Asks of a store wherever it is, opened anew for each question. */
export function storeQuestions(location: StoreLocation): StoreQuestions {
  return location.engine === 'sqlite' ? sqliteFileReader(location.file) : eachTime(() => openPostgresReader(location));
}

/** Tells of what an upkeep that failed said; it is tried again. */
export type UpkeepComplaint = (error: unknown) => void;

const UPKEEP_MS = 10_000;

/** A store whose upkeep is done now and then until it is closed: piece by piece, so that batches come between. */
export function keptUp(store: AuditStore, complain: UpkeepComplaint, everyMs = UPKEEP_MS): AuditStore {
  let closed = false;
  let working = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const wait = (ms: number): void => {
    timer = setTimeout(() => {
      working = work();
    }, ms).unref();
  };
  const work = async (): Promise<void> => {
    let more = false;
    try {
      more = await store.upkeep();
    } catch (error) {
      complain(error);
    }
    if (!closed) wait(more ? 0 : everyMs);
  };
  wait(everyMs);
  return {
    append: (batch) => store.append(batch),
    received: (source) => store.received(source),
    query: (question) => store.query(question),
    series: (question) => store.series(question),
    edgeSeries: (question) => store.edgeSeries(question),
    upkeep: () => store.upkeep(),
    async close() {
      closed = true;
      clearTimeout(timer);
      await working;
      await store.close();
    },
  };
}
