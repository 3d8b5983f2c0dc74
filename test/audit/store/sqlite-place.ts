import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../../audit/store/sqlite.ts';
import { sqliteFileReader } from '../../../audit/store/sqlite-read.ts';
import type { StoreLocation } from '../../../audit/store/location.ts';
import type { Place } from './contract.ts';

/** A file in a folder of its own. */
export function sqlitePlace(): Promise<Place & { readonly file: string; readonly location: StoreLocation }> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-'));
  const file = join(folder, 'audit.db');
  return Promise.resolve({
    file,
    location: { engine: 'sqlite', file },
    open: (options) => openSqliteStore({ file, ...options }),
    read: sqliteFileReader(file),
    close: async () => Promise.resolve(rmSync(folder, { recursive: true })),
  });
}
