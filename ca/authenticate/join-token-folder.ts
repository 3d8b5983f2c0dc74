import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSpiffeId, type SpiffeId } from '../identity/spiffe-id.ts';
import { syncFolder, writeAtomically } from '../root/atomic.ts';
import { type JoinTokenHash, parseJoinTokenHash } from './join-token.ts';
import { parseObject } from '../json-object.ts';

export interface JoinTokenRecord {
  readonly hash: JoinTokenHash;
  readonly identity: SpiffeId;
  readonly created: Date;
  readonly expires: Date;
}

export interface ListedJoinToken extends JoinTokenRecord {
  readonly used: boolean;
}

/** What has become of tokens. Shared between the control plane and the command that makes them. */
export interface JoinTokenStore {
  create(record: JoinTokenRecord): Promise<void>;
  /** A token that was not used yet. */
  find(hash: JoinTokenHash): Promise<JoinTokenRecord | undefined>;
  /** Marks it as used, on disk before this resolves. True for exactly one caller, ever. */
  use(hash: JoinTokenHash): Promise<boolean>;
  list(): Promise<readonly ListedJoinToken[]>;
  delete(hash: JoinTokenHash): Promise<boolean>;
  /** Forgets those that expired before. */
  prune(before: Date): Promise<void>;
}

const [UNUSED, USED] = ['.token', '.used'];

/**
 * One file for each token, named by its hash. Using one is a rename, which the kernel gives to one caller only, whichever process it is
 * in; the folder is synced before the answer, so that a crash cannot bring a used token back.
 */
export function joinTokenFolder(dir: string): JoinTokenStore {
  const at = (hash: JoinTokenHash, state: string) => join(dir, `${hash}${state}`);
  const read = async (hash: JoinTokenHash, state: string) =>
    parseJoinTokenRecord(hash, await readFile(at(hash, state), 'utf8').catch(absent));
  const list = async () => {
    const names = existsSync(dir) ? await readdir(dir) : [];
    const found: ListedJoinToken[] = [];
    for (const name of names) {
      const state = [UNUSED, USED].find((ending) => name.endsWith(ending));
      const hash = state === undefined ? undefined : parseJoinTokenHash(name.slice(0, -state.length));
      const record = state === undefined || hash === undefined ? undefined : await read(hash, state);
      if (record !== undefined) found.push({ ...record, used: state === USED });
    }
    return found.toSorted((a, b) => a.created.getTime() - b.created.getTime());
  };
  return {
    async create(record) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeAtomically(at(record.hash, UNUSED), joinTokenText(record), 0o600);
    },
    find: (hash) => read(hash, UNUSED),
    async use(hash) {
      try {
        await rename(at(hash, UNUSED), at(hash, USED));
      } catch (error) {
        if (isAbsent(error)) return false;
        throw error;
      }
      await syncFolder(dir);
      return true;
    },
    list,
    async delete(hash) {
      const there = [UNUSED, USED].filter((state) => existsSync(at(hash, state)));
      for (const state of there) await rm(at(hash, state), { force: true });
      if (there.length > 0) await syncFolder(dir);
      return there.length > 0;
    },
    async prune(before) {
      for (const { hash, expires, used } of await list())
        if (expires < before) await rm(at(hash, used ? USED : UNUSED), { force: true });
    },
  };
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function absent(error: unknown): string {
  if (isAbsent(error)) return '';
  throw error;
}

/** What is kept of a token. */
export function joinTokenText({ identity, created, expires }: JoinTokenRecord): string {
  return JSON.stringify({ identity, created, expires });
}

export function parseJoinTokenRecord(hash: JoinTokenHash, text: string): JoinTokenRecord | undefined {
  const fields = parseObject(text);
  if (fields === undefined) return undefined;
  const { identity, created, expires } = fields;
  if (typeof identity !== 'string' || typeof created !== 'string' || typeof expires !== 'string') return undefined;
  const id = parseSpiffeId(identity);
  const [from, to] = [new Date(created), new Date(expires)];
  if (!id.ok || Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return undefined;
  return { hash, identity: id.value, created: from, expires: to };
}
