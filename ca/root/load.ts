import { readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { type KeyAccess, keyFilesOf, openKey } from '../key-store/open.ts';
import { readRotation } from '../rotation/file.ts';
import { generationFolder } from '../rotation/generation.ts';
import { signing } from '../rotation/state.ts';
import { assembleRoot, type Root } from './assemble.ts';
import { syncFolder } from './atomic.ts';
import { AuthorityError } from './error.ts';
import { type Folder, prepareFolder } from './folder.ts';
import type { NewRootOptions } from './new.ts';

export type { Root } from './assemble.ts';

export type RootOptions = NewRootOptions;

/** Loads the root kept in a folder, or makes a new one in an empty folder. Rejects with AuthorityError on anything doubtful. */
export async function loadOrCreateRoot(folder: Folder, options: RootOptions): Promise<Root> {
  await prepareFolder(folder);
  const unfinished = existsSync(folder.creating);
  if (unfinished) await discardUnfinished(folder, options.log);
  if ((await readRotation(folder.dir)) !== undefined) return loadRoot(folder, options.trustDomain, options.key);
  const present = [...keyFilesOf(folder), ...[folder.certificate, folder.roots].filter((path) => existsSync(path))];
  if (present.length === 0) {
    const { writeNewRoot } = await import('./new.ts');
    await writeNewRoot(folder, options, unfinished);
  }
  return loadRoot(folder, options.trustDomain, options.key);
}

/** Loads the root that signs, in whichever generation of a rotation; never creates one. */
export async function loadRoot(folder: Folder, trustDomain?: TrustDomain, access?: KeyAccess): Promise<Root> {
  return loadFolder(await signingFolder(folder), trustDomain, access);
}

/** Where the files of the root that signs are. */
export async function signingFolder(folder: Folder): Promise<Folder> {
  const rotation = await readRotation(folder.dir);
  return rotation === undefined ? folder : generationFolder(folder.dir, signing(rotation.state));
}

/** Loads the root whose files are in exactly this folder. */
export async function loadFolder(folder: Folder, trustDomain?: TrustDomain, access?: KeyAccess): Promise<Root> {
  const [key = folder.key] = keyFilesOf(folder);
  const missing = [key, folder.certificate, folder.roots].filter((path) => !existsSync(path));
  if (missing.length === 3)
    throw new AuthorityError(
      `there is no authority in ${folder.dir}; gatehouse serve makes one, and so does gatehouse ca root --create`,
    );
  if (missing.length > 0)
    throw new AuthorityError(
      `${missing.join(' and ')} missing, while other files of the authority are in ${folder.dir}; restore from a backup, ` +
        'or start with a new folder (then every workload must get the new root)',
    );
  const files = {
    certificate: await textAt(folder.certificate),
    chain: existsSync(folder.chain) ? await textAt(folder.chain) : undefined,
    roots: await textAt(folder.roots),
  };
  const signer = await openKey(folder, access);
  try {
    return assembleRoot(files, signer, { ...folder, key }, trustDomain);
  } catch (error) {
    await signer.close?.();
    throw error;
  }
}

const LARGEST_FILE = 1024 * 1024;

async function textAt(path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  if (text.length > LARGEST_FILE) throw new AuthorityError(`${path} is larger than 1 MiB`);
  return text;
}

async function discardUnfinished(folder: Folder, log: Logger): Promise<void> {
  if (existsSync(folder.issuanceLog))
    throw new AuthorityError(
      `${folder.creating} says that the root is unfinished, but ${folder.issuanceLog} exists; restore the folder from a backup`,
    );
  for (const path of [folder.key, folder.keyUri, folder.certificate, folder.chain, folder.roots]) await rm(path, { force: true });
  await syncFolder(folder.dir);
  await rm(folder.creating);
  await syncFolder(folder.dir);
  log.warn(
    { dir: folder.dir },
    'an earlier start was cut off while it created the root; nothing was issued under it, so it is made anew',
  );
}
