import { readFile, stat } from 'node:fs/promises';
import { AuthorityError } from '../root/error.ts';

/** Where a passphrase is kept. Never on a command line: other users of the machine can read those. */
export type PassphraseSource = { readonly file: string } | { readonly variable: string };

const LONGEST = 1024;

/** Reads a passphrase; the line end that editors add is not part of it. @throws AuthorityError that says what to do */
export async function readPassphrase(
  source: PassphraseSource,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  const [value, where] =
    'file' in source ? [await fromFile(source.file), source.file] : [environment[source.variable], `$${source.variable}`];
  if (value === undefined || value === '') throw new AuthorityError(`${where} holds no passphrase`);
  if (value.length > LONGEST) throw new AuthorityError(`the passphrase in ${where} is longer than ${LONGEST} characters`);
  return value;
}

async function fromFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new AuthorityError(`${path}: there is no such passphrase file`);
  if ((found.mode & 0o007) !== 0)
    throw new AuthorityError(`${path} (a passphrase) can be read by everybody; run: chmod 0600 ${path}`);
  if (found.size > 4 * LONGEST) throw new AuthorityError(`${path} is too large for a passphrase`);
  return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
}
