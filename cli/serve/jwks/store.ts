import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { parseJsonWebKeys } from '../../../mesh/model/json-web-keys.ts';
import type { KeptKeys, KeyStore } from '../../../policy/jwks/keeper.ts';

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keptOf(value: unknown, now: number): KeptKeys | undefined {
  if (!isRecord(value)) return undefined;
  const { keys, fetchedAt } = value;
  if (typeof keys !== 'string' || typeof fetchedAt !== 'number' || fetchedAt > now) return undefined;
  const read = parseJsonWebKeys(keys);
  return read.ok ? { keys: read.value.keys, fetchedAt } : undefined;
}

/** Keys in a file of their own. A file that cannot be read or written costs no more than a fetch. */
export function keyFile(path: string, clock: () => Date, log: Logger): KeyStore {
  return {
    load() {
      try {
        const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
        const entries = Object.entries(isRecord(value) ? value : {}).flatMap(([location, one]) => {
          const kept = keptOf(one, clock().getTime());
          return kept === undefined ? [] : [[location, kept] as const];
        });
        return new Map(entries);
      } catch {
        return new Map();
      }
    },
    save(keys) {
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries(keys)), { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch (error) {
        log.warn({ err: error, path }, 'the keys of token issuers cannot be kept; after a restart they are fetched anew');
      }
    },
  };
}
