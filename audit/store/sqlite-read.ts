import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { refuseOtherSchema } from './migrate.ts';
import { integer } from './row.ts';
import { readerOf } from './sql-store.ts';
import { openSqlite, SqliteEngine } from './sqlite-engine.ts';
import type { HistoryReader } from './store.ts';

/**
 * Opens a store to read beside its writer. Without a write-ahead log the writer closed it; then the file is whole and
 * can be read even where its folder cannot be written to.
 */
export async function openSqliteReader(file: string): Promise<HistoryReader> {
  if (!existsSync(file)) throw new Error(`there is no audit store at ${file}`);
  const url = pathToFileURL(file);
  if (!existsSync(`${file}-wal`)) url.searchParams.set('immutable', '1');
  const engine = new SqliteEngine(openSqlite(url, file, false), file);
  try {
    const version = await engine.read(async (session) => {
      const [table] = await session.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migration'");
      if (table === undefined) return 0;
      const [row = {}] = await session.all('SELECT coalesce(max(version), 0) AS version FROM migration');
      return integer(row, 'version');
    });
    refuseOtherSchema(version, file);
    return readerOf(engine);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Asks of a store, wherever it is. */
export type StoreQuestions = Pick<HistoryReader, 'query' | 'series' | 'edgeSeries'>;

/** Opens a store anew for each question, so that it may come later, be replaced or be written by another process. */
export function eachTime(open: () => Promise<HistoryReader>): StoreQuestions {
  const ask = async <T>(work: (reader: HistoryReader) => Promise<T>): Promise<T> => {
    const reader = await open();
    try {
      return await work(reader);
    } finally {
      await reader.close();
    }
  };
  return {
    query: (question) => ask((reader) => reader.query(question)),
    series: (question) => ask((reader) => reader.series(question)),
    edgeSeries: (question) => ask((reader) => reader.edgeSeries(question)),
  };
}

export function sqliteFileReader(file: string): StoreQuestions {
  return eachTime(() => openSqliteReader(file));
}
