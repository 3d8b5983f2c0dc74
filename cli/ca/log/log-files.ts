import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type LogFiles, logFilesAt } from '../../../ca/log/files.ts';
import { loadLogKey } from '../../../ca/log/log-key.ts';
import { copiesIn } from '../../../ca/log/gather/copy.ts';
import { originOf } from '../../../ca/log/gather/source.ts';
import { type NoteVerifier, parseVerifierKey, verifierKey } from '../../../ca/log/note.ts';
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

/** One of the logs that a replica has: its own, or a copy of another's. */
export interface ReplicaLog {
  readonly name: string;
  readonly files: LogFiles;
  readonly verifier: NoteVerifier;
}

/** The logs of all replicas, as the folder of one has them. */
export async function logsOfReplicas(caDir: string): Promise<readonly ReplicaLog[]> {
  const own = await logOf(caDir);
  const logs = [{ name: `${originOf(verifierKey(own.verifier))} (this replica)`, ...own }];
  for (const { origin, verifierKey: key, files } of await copiesIn(folderAt(caDir).dir)) {
    const verifier = parseVerifierKey(key);
    if (!verifier.ok) throw new AuthorityError(`the copy of log ${origin} has no key that can be read: ${verifier.reason}`);
    logs.push({ name: origin, files, verifier: verifier.value });
  }
  return logs;
}

/** Checkpoints that were kept elsewhere, one in each file. */
export async function witnessesIn(paths: readonly string[]): Promise<readonly Witness[]> {
  return Promise.all(paths.map(async (source) => ({ source, note: await readFile(source, 'utf8') })));
}
