import { existsSync } from 'node:fs';
import { pino } from 'pino';
import { revocationFile } from '../../ca/revocation/file.ts';
import { issuedInLog } from '../../ca/revocation/issued.ts';
import { openRevocations, type Revocations } from '../../ca/revocation/revocations.ts';
import { AuthorityError } from '../../ca/root/error.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { lockFolder } from '../../ca/root/lock.ts';

/** Works on the list of a folder that no control plane runs on, and holds its lock meanwhile. */
export async function inFolder<T>(caDir: string, task: (revocations: Revocations) => Promise<T>): Promise<T> {
  const folder = folderAt(caDir);
  if (!existsSync(folder.certificate)) throw new AuthorityError(`there is no authority in ${folder.dir}`);
  const unlock = lockFolder(folder.lock, folder.dir);
  try {
    const revocations = await openRevocations({
      store: revocationFile(folder.revocations),
      findIssued: issuedInLog(folder.issuanceLog),
      // Lists for proxies are signed by the control plane when it starts.
      clock: () => new Date(),
      every: () => () => undefined,
      log: pino({ level: 'error' }, pino.destination(2)),
    });
    try {
      return await task(revocations);
    } finally {
      await revocations.close();
    }
  } finally {
    unlock();
  }
}
