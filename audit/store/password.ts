import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Whose password is wanted, as the lines of a password file name them. */
export interface Login {
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly user: string;
}

/** The fields of a line: `:` between them, and a backslash before a `:` or a backslash that is of one. */
function fieldsOf(line: string): readonly string[] {
  const fields = [''];
  for (const [, escaped, character = ''] of line.matchAll(/\\(.)|(.)/gsu)) {
    if (character === ':' && fields.length < 5) fields.push('');
    else fields.push(`${fields.pop() ?? ''}${escaped ?? character}`);
  }
  return fields;
}

/** The password of the first line that fits; https://www.postgresql.org/docs/current/libpq-pgpass.html. */
export function passwordIn(text: string, { host, port, database, user }: Login): string | undefined {
  const wanted = [host.startsWith('/') || host === '' ? 'localhost' : host, port, database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = fieldsOf(line);
    // A socket goes by its folder, too.
    const fits = (at: number): boolean => fields[at] === '*' || fields[at] === wanted[at] || (at === 0 && fields[0] === host);
    if (fields.length === 5 && [0, 1, 2, 3].every(fits)) return fields[4];
  }
  return undefined;
}

/**
 * The password of a login, from a file of its own, PGPASSWORD, or the file that PGPASSFILE names (else .pgpass in the home), which only its owner may
 * read. Undefined: there is none.
 */
export function findPassword(login: Login, passwordFile: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (passwordFile !== undefined) return readFileSync(passwordFile, 'utf8').trimEnd();
  if (env['PGPASSWORD'] !== undefined) return env['PGPASSWORD'];
  const file = env['PGPASSFILE'] ?? join(homedir(), '.pgpass');
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return undefined;
  if ((stat.mode & 0o077) !== 0) throw new Error(`the password file ${file} can be read by others: chmod 600 ${file}`);
  return passwordIn(readFileSync(file, 'utf8'), login);
}
