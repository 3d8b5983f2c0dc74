import { open } from 'node:fs/promises';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

const LARGEST = 64 * 1024;

/**
 * A secret kept in a file, read anew for each use, since those who renew it (a Vault agent, Kubernetes) replace the file. A file that others
 * can read is refused, as for keys. Neither contents nor parts of it are ever in the reason.
 */
export async function readSecret(path: string): Promise<Parsed<string>> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    return refused(`${path} cannot be opened: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'}`);
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o007) !== 0) return refused(`${path} can be read by everybody; run: chmod 0600 ${path}`);
    if (size > LARGEST) return refused(`${path} is larger than 64 KiB`);
    const text = (await file.readFile('utf8')).trim();
    return text === '' ? refused(`${path} is empty`) : parsed(text);
  } finally {
    await file.close();
  }
}
