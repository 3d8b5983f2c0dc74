import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import { checkKeyFile } from '../root/folder.ts';
import { type JwtKey, parseJwtKey } from './key.ts';

/** Where the keys of JWT-SVIDs are kept. One process at a time: whoever holds the authority's lock. */
export interface JwtKeyStore {
  load(): Promise<readonly JwtKey[]>;
  /** Durable once it resolves. */
  save(keys: readonly JwtKey[]): Promise<void>;
}

const LARGEST_FILE = 1 << 20;

/** `jwt-keys.json` in the authority's folder, mode 0600: `{"keys": [{"activeFrom": ISO 8601, "key": PKCS#8 PEM}]}`. */
export function jwtKeyFile(dir: string): JwtKeyStore {
  const path = join(dir, 'jwt-keys.json');
  return {
    async load() {
      if (!existsSync(path)) return [];
      await checkKeyFile(path);
      const keys = parseKeys(await readFile(path, 'utf8'));
      if (!keys.ok)
        throw new AuthorityError(`${path}: ${keys.reason}; restore it from a backup, or remove it (tokens given out will fail)`);
      return keys.value;
    },
    async save(keys) {
      const entries = keys.map(({ activeFrom, privateKey }) => ({
        activeFrom: new Date(activeFrom).toISOString(),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      }));
      await writeAtomically(path, `${JSON.stringify({ keys: entries }, null, 2)}\n`, 0o600);
    },
  };
}

function parseKeys(text: string): Parsed<readonly JwtKey[]> {
  if (text.length > LARGEST_FILE) return refused('it is larger than 1 MiB');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('it is not JSON');
  }
  const entries: unknown = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined;
  if (!Array.isArray(entries)) return refused('it has no "keys"');
  const keys: JwtKey[] = [];
  for (const entry of entries) {
    const key = parseEntry(entry);
    if (!key.ok) return key;
    keys.push(key.value);
  }
  return parsed(keys.toSorted((one, other) => one.activeFrom - other.activeFrom));
}

function parseEntry(entry: unknown): Parsed<JwtKey> {
  if (typeof entry !== 'object' || entry === null || !('key' in entry) || !('activeFrom' in entry))
    return refused('an entry lacks key or activeFrom');
  const { key, activeFrom } = entry;
  const time = typeof activeFrom === 'string' ? Date.parse(activeFrom) : Number.NaN;
  if (typeof key !== 'string' || !Number.isFinite(time)) return refused('an entry has no key, or no time');
  return parseJwtKey(key, time);
}
