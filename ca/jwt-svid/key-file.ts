import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { readPrivateKey } from '../import/private-key.ts';
import { keyFileText } from '../key-store/encrypt.ts';
import { type PassphraseSource, readPassphrase } from '../key-store/passphrase.ts';
import { writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import { checkKeyFile } from '../root/folder.ts';
import { fileJwtKey, type JwtKey, newJwtKey } from './key.ts';
import { newTokenKey, openTokenKey, removeTokenKey } from './token-key.ts';

/** Where the keys of JWT-SVIDs are kept. */
export interface JwtKeyStore {
  load(): Promise<readonly JwtKey[]>;
  make(activeFrom: number): Promise<JwtKey>;
  /** Durable once it resolves with true; false when another replica saved first: then what it saved counts. */
  save(keys: readonly JwtKey[]): Promise<boolean>;
  /** Destroys a key that no saved set holds any more. */
  retire(key: JwtKey): Promise<void>;
  /** Where replicas share the keys: calls back when another may have changed them; returns how to stop. */
  readonly follow?: ((changed: () => void) => () => void) | undefined;
}

/** The text in which the keys are kept, with the private keys: in a file of the authority's folder, or in something that replicas share. */
export interface JwtKeyDocument {
  /** How people find it. */
  readonly name: string;
  /** Undefined where there is none yet. */
  read(): Promise<string | undefined>;
  /** Durable once it resolves with true; false when somebody else wrote after it was read. */
  write(text: string): Promise<boolean>;
  readonly follow?: ((changed: () => void) => () => void) | undefined;
}

/** As the CA's key: what protects that one protects these. */
export interface JwtKeyAccess {
  /** Encrypts the keys in the file. */
  readonly passphrase?: PassphraseSource | undefined;
  /** New keys are made in the token of this PKCS#11 URI, beside the key that it names. */
  readonly tokenUri?: string | undefined;
}

const LARGEST_FILE = 1 << 20;

/**
 * `jwt-keys.json` in the authority's folder, mode 0600. One process at a time writes it: whoever holds the authority's lock.
 */
export function jwtKeyFile(dir: string, access: JwtKeyAccess = {}): JwtKeyStore {
  const path = join(dir, 'jwt-keys.json');
  const document: JwtKeyDocument = {
    name: path,
    async read() {
      if (!existsSync(path)) return undefined;
      await checkKeyFile(path);
      return readFile(path, 'utf8');
    },
    async write(text) {
      await writeAtomically(path, text, 0o600);
      return true;
    },
  };
  return jwtKeyStore(document, access);
}

/**
 * `{"keys": [{"activeFrom": ISO 8601, "key": PKCS#8 PEM}]}`, the PEM encrypted where there is a passphrase, and `"uri"` instead of it where the
 * key is in a token. Keys that were plain are encrypted as soon as there is one.
 */
export function jwtKeyStore(document: JwtKeyDocument, { passphrase, tokenUri }: JwtKeyAccess = {}): JwtKeyStore {
  const { name } = document;
  const secret = (): Promise<string> | undefined => passphrase && readPassphrase(passphrase);
  const save = async (keys: readonly JwtKey[]): Promise<boolean> => {
    const known = await secret();
    const entries = keys.map(async ({ activeFrom, kept }) => ({
      activeFrom: new Date(activeFrom).toISOString(),
      ...(kept.kind === 'token' ? { uri: kept.uri } : { key: await keyFileText(kept.privateKey, known) }),
    }));
    return document.write(`${JSON.stringify({ keys: await Promise.all(entries) }, null, 2)}\n`);
  };
  return {
    async load() {
      const text = await document.read();
      if (text === undefined) return [];
      if (/BEGIN ENCRYPTED/.test(text) && passphrase === undefined)
        throw new AuthorityError(
          `${name} is encrypted; say where its passphrase is: --ca-key-passphrase-file FILE or --ca-key-passphrase-env NAME`,
        );
      const known = await secret();
      const keys = await parseKeys(text, known);
      if (!keys.ok)
        throw new AuthorityError(`${name}: ${keys.reason}; restore it from a backup, or remove it (tokens given out will fail)`);
      if (known !== undefined && /BEGIN PRIVATE KEY/.test(text)) await save(keys.value);
      return keys.value;
    },
    make: (activeFrom) => (tokenUri === undefined ? Promise.resolve(newJwtKey(activeFrom)) : newTokenKey(tokenUri, activeFrom)),
    save,
    async retire({ kept, signer }) {
      await signer.close?.();
      if (kept.kind === 'token') await removeTokenKey(kept.uri);
    },
    follow: document.follow,
  };
}

async function parseKeys(text: string, passphrase: string | undefined): Promise<Parsed<readonly JwtKey[]>> {
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
    const key = await parseEntry(entry, passphrase);
    if (!key.ok) return key;
    keys.push(key.value);
  }
  return parsed(keys.toSorted((one, other) => one.activeFrom - other.activeFrom));
}

async function parseEntry(entry: unknown, passphrase: string | undefined): Promise<Parsed<JwtKey>> {
  if (typeof entry !== 'object' || entry === null || !('activeFrom' in entry)) return refused('an entry lacks activeFrom');
  const time = typeof entry.activeFrom === 'string' ? Date.parse(entry.activeFrom) : Number.NaN;
  if (!Number.isFinite(time)) return refused('an entry has no time');
  if ('uri' in entry && typeof entry.uri === 'string') return openTokenKey(entry.uri, time);
  if (!('key' in entry) || typeof entry.key !== 'string') return refused('an entry has neither key nor uri');
  const key = await readPrivateKey(entry.key, passphrase);
  return key.ok ? fileJwtKey(key.value, time) : refused(`a key cannot be read: ${key.reason}`);
}
