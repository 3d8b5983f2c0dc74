import type { KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { readPrivateKey } from '../import/private-key.ts';
import { type KeyAccess, keyFilesOf } from '../key-store/open.ts';
import { readPassphrase } from '../key-store/passphrase.ts';
import { parseBundle, pathToRoot } from '../root/chain.ts';
import { AuthorityError } from '../root/error.ts';
import { checkKeyFile, type Folder } from '../root/folder.ts';

/** The issuing certificate, those between it and the root, and the roots; each once. No key is needed. */
export async function exportedCertificates(folder: Folder): Promise<readonly X509Certificate[]> {
  if (!existsSync(folder.certificate) || !existsSync(folder.roots))
    throw new AuthorityError(`there is no authority in ${folder.dir}`);
  const [certificate, ...followers] = await bundleAt(folder.certificate);
  const roots = await bundleAt(folder.roots);
  const chain = [...followers, ...(existsSync(folder.chain) ? await bundleAt(folder.chain) : [])];
  const path = certificate && pathToRoot(certificate, chain, roots);
  if (certificate === undefined || path === undefined)
    throw new AuthorityError(`${folder.certificate} does not lead to a root in ${folder.roots}`);
  const all = [certificate, ...path.between, path.root, ...roots];
  return [...new Map(all.map((one) => [one.fingerprint256, one])).values()];
}

/** The private key, for an export that was asked for with it. A key in a token stays there. */
export async function exportedKey(folder: Folder, access: KeyAccess): Promise<KeyObject> {
  const [path] = keyFilesOf(folder);
  if (path === undefined) throw new AuthorityError(`${folder.key} is missing`);
  if (path === folder.keyUri)
    throw new AuthorityError(`the key is in a PKCS#11 token (${path}) and does not leave it; export without --with-key`);
  await checkKeyFile(path);
  const passphrase = access.passphrase && (await readPassphrase(access.passphrase));
  const key = await readPrivateKey(await readFile(path, 'utf8'), passphrase);
  if (!key.ok)
    throw new AuthorityError(
      `${path}: ${key.reason}; for an encrypted key give --ca-key-passphrase-file FILE or --ca-key-passphrase-env NAME`,
    );
  return key.value;
}

async function bundleAt(path: string): Promise<readonly X509Certificate[]> {
  const found = parseBundle(await readFile(path, 'utf8'));
  if (!found.ok) throw new AuthorityError(`${path}: ${found.reason}`);
  return found.value;
}
