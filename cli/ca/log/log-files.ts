import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type LogFiles, logFilesAt } from '../../../ca/log/files.ts';
import { loadLogKey } from '../../../ca/log/log-key.ts';
import { type NoteVerifier, parseVerifierKey } from '../../../ca/log/note.ts';
import type { Witness } from '../../../ca/log/sworn.ts';
import { AuthorityError } from '../../../ca/root/error.ts';
import { folderAt } from '../../../ca/root/folder.ts';

/**
 * The log of an authority's folder and the key that its checkpoints must have.
 * @param key the verifier key, where the log is a copy without its private key
 * @throws AuthorityError when one of them is missing
 */
export async function logOf(caDir: string, key?: string): Promise<{ readonly files: LogFiles; readonly verifier: NoteVerifier }> {
  const { dir, issuanceLog } = folderAt(caDir);
  if (!existsSync(issuanceLog)) throw new AuthorityError(`there is no issuance log in ${dir}: no authority was opened there`);
  const files = logFilesAt(issuanceLog);
  if (key !== undefined) {
    const verifier = parseVerifierKey(key);
    if (!verifier.ok) throw new AuthorityError(`--key: ${verifier.reason}`);
    return { files, verifier: verifier.value };
  }
  if (!existsSync(files.key))
    throw new AuthorityError(`${files.key} is missing; give the verifier key with --key (gatehouse ca log checkpoint prints it)`);
  return { files, verifier: await loadLogKey(files) };
}

/** Checkpoints that were kept elsewhere, one in each file. */
export async function witnessesIn(paths: readonly string[]): Promise<readonly Witness[]> {
  return Promise.all(paths.map(async (source) => ({ source, note: await readFile(source, 'utf8') })));
}
