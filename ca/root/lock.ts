import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AuthorityError } from './error.ts';

/**
 * Makes this process the only one that issues from a folder; gives back how to let go. SQLite's file lock is used because the kernel
 * frees it when the process dies in any way, which no lock file of our own could promise.
 */
export function lockFolder(path: string, dir: string): () => void {
  const database = new DatabaseSync(path);
  try {
    chmodSync(path, 0o600);
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message))
      throw new AuthorityError(`${dir} is in use by another running authority; stop it, or give each its own folder`);
    throw error;
  }
  return () => database.close();
}
