import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { readPrivateKey } from '../import/private-key.ts';
import { AuthorityError } from '../root/error.ts';
import { checkKeyFile, type Folder } from '../root/folder.ts';
import { type PassphraseSource, readPassphrase } from './passphrase.ts';
import { pkcs11Signer } from './pkcs11/signer.ts';
import { parsePkcs11Uri, type Pkcs11Uri } from './pkcs11/uri.ts';
import { memorySigner, type Signer } from './signer.ts';

/** What is needed to use a kept key. */
export interface KeyAccess {
  /** Of an encrypted key file. */
  readonly passphrase?: PassphraseSource | undefined;
}

const LARGEST = 64 * 1024;

/** The files in which a folder may keep its key, or where it says which token has it. */
export function keyFilesOf(folder: Folder): readonly string[] {
  return [folder.key, folder.keyUri].filter((path) => existsSync(path));
}

/**
 * The key of a folder: `ca-key.pem` (plain, or encrypted under a passphrase), or in a PKCS#11 token where `ca-key.uri` says which.
 * @throws AuthorityError that says what to do
 */
export async function openKey(folder: Folder, access: KeyAccess = {}): Promise<Signer> {
  const [path, another] = keyFilesOf(folder);
  if (path === undefined) throw new AuthorityError(`${folder.key} is missing`);
  if (another !== undefined)
    throw new AuthorityError(`there are both ${path} and ${another}; remove the one that is not the key`);
  await checkKeyFile(path);
  const text = await readFile(path, 'utf8');
  if (path === folder.keyUri) return pkcs11Signer(pkcs11At(path, text));
  return signerOf(text, path, access);
}

/** A signer for a key in PEM. */
export async function signerOf(pem: string, where: string, access: KeyAccess): Promise<Signer> {
  if (pem.length > LARGEST) throw new AuthorityError(`${where} is larger than 64 KiB`);
  const encrypted = /ENCRYPTED/.test(pem);
  if (encrypted && access.passphrase === undefined)
    throw new AuthorityError(
      `${where} is encrypted; say where its passphrase is: --ca-key-passphrase-file FILE or --ca-key-passphrase-env NAME`,
    );
  const key = await readPrivateKey(pem, encrypted && access.passphrase ? await readPassphrase(access.passphrase) : undefined);
  // OpenSSL's message is of no help, and the cause must not carry key material into logs.
  if (!key.ok) throw new AuthorityError(`${where} is no private key in PEM that can be used: ${key.reason}`);
  const signer = memorySigner(key.value);
  if (!signer.ok) throw new AuthorityError(`${where}: ${signer.reason}`);
  return signer.value;
}

export function pkcs11At(path: string, text: string): Pkcs11Uri {
  const uri = parsePkcs11Uri(text.trim());
  if (!uri.ok) throw new AuthorityError(`${path}: ${uri.reason}`);
  return uri.value;
}
