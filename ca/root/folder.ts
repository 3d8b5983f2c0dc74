import { existsSync } from 'node:fs';
import { lstat, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AuthorityError } from './error.ts';

/** Where an authority keeps what it has; the names are those of Istio's `cacerts`. */
export interface Folder {
  readonly dir: string;
  readonly key: string;
  /** Instead of the key: a PKCS#11 URI that says which token has it. */
  readonly keyUri: string;
  readonly certificate: string;
  /** Intermediates between the CA certificate and the root; optional, for a plugged-in CA. */
  readonly chain: string;
  readonly roots: string;
  /** There while a new root is being written: until it is removed, nothing was issued. */
  readonly creating: string;
  readonly issuanceLog: string;
  readonly revocations: string;
  /** Revocation lists of other CAs under the same roots; optional, Istio's name. */
  readonly otherCrls: string;
  /** One-time tokens, by their hashes. */
  readonly joinTokens: string;
  readonly lock: string;
}

export function folderAt(path: string): Folder {
  const dir = resolve(path);
  return {
    dir,
    key: join(dir, 'ca-key.pem'),
    keyUri: join(dir, 'ca-key.uri'),
    certificate: join(dir, 'ca-cert.pem'),
    chain: join(dir, 'cert-chain.pem'),
    roots: join(dir, 'root-cert.pem'),
    creating: join(dir, '.creating'),
    issuanceLog: join(dir, 'issuance.jsonl'),
    revocations: join(dir, 'revocations.json'),
    otherCrls: join(dir, 'ca-crl.pem'),
    joinTokens: join(dir, 'join-tokens'),
    lock: join(dir, '.lock'),
  };
}

/** Creates the folder, mode 0700, or checks that no one else can put files into it. */
export async function prepareFolder({ dir }: Folder): Promise<void> {
  const made = !existsSync(dir);
  if (made) await mkdir(dir, { recursive: true, mode: 0o700 });
  const found = await lstat(dir);
  if (!found.isDirectory()) throw new AuthorityError(`${dir} is not a folder`);
  if ((found.mode & 0o022) !== 0)
    throw new AuthorityError(`${dir} is writable by others (mode ${octal(found.mode)}); run: chmod 0700 ${dir}`);
}

/** A private key must be a plain file that only its owner can read. */
export async function checkKeyFile(path: string): Promise<void> {
  const found = await lstat(path);
  if (!found.isFile()) throw new AuthorityError(`${path} is not a plain file`);
  if ((found.mode & 0o077) !== 0)
    throw new AuthorityError(
      `${path} can be read by others (mode ${octal(found.mode)}), so the key may have leaked; if not, run: chmod 0600 ${path}`,
    );
}

function octal(mode: number): string {
  return `0${(mode & 0o777).toString(8)}`;
}
