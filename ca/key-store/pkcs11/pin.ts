import { readFile, stat } from 'node:fs/promises';
import { AuthorityError } from '../../root/error.ts';

/** The PIN, and when its file was last changed. Others must not be able to read it. */
export async function readPin(path: string): Promise<{ readonly pin: Buffer; readonly stamp: string }> {
  const { mode, mtimeMs, size } = await stat(path);
  if ((mode & 0o007) !== 0) throw new AuthorityError(`${path} (the PIN) can be read by everybody; run: chmod 0600 ${path}`);
  if (size > 1024) throw new AuthorityError(`${path} is no PIN: it is larger than 1 KiB`);
  const text = (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  return { pin: Buffer.from(text, 'utf8'), stamp: `${mtimeMs}/${size}` };
}
