import { rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { keyFileText } from '../key-store/encrypt.ts';
import type { KeyAccess } from '../key-store/open.ts';
import { readPassphrase } from '../key-store/passphrase.ts';
import { DEFAULT_KEY_TYPE, type KeyType } from '../key-store/key-type.ts';
import { generateInToken } from '../key-store/pkcs11/generate.ts';
import { pkcs11Signer } from '../key-store/pkcs11/signer.ts';
import { parsePkcs11Uri } from '../key-store/pkcs11/uri.ts';
import { syncFolder, writeAtomically } from './atomic.ts';
import { createRoot, selfSigned } from './create.ts';
import { AuthorityError } from './error.ts';
import type { Folder } from './folder.ts';

/** How a new root's key is made and kept. */
export interface NewKey extends KeyAccess {
  readonly type?: KeyType | undefined;
  /** A PKCS#11 URI: the key is made in that token, and stays there. Without it, in a file, encrypted where there is a passphrase. */
  readonly store?: string | undefined;
}

export interface NewRootOptions {
  readonly clock: () => Date;
  readonly trustDomain: TrustDomain;
  readonly log: Logger;
  readonly key?: NewKey | undefined;
}

/**
 * Writes a new root so that a crash at any moment is told from damage: while `.creating` is there nothing was issued yet, and the next
 * start begins again. `again`: an earlier start was cut off, so a key that is in the token already is its.
 */
export async function writeNewRoot(
  folder: Folder,
  { clock, trustDomain, log, key = {} }: NewRootOptions,
  again: boolean,
): Promise<void> {
  await writeAtomically(folder.creating, '', 0o600);
  const certificatePem =
    key.store === undefined
      ? await inFile(folder, key, trustDomain, clock())
      : await inToken(folder, key.store, key, trustDomain, clock(), again);
  await writeAtomically(folder.certificate, certificatePem, 0o644);
  await writeAtomically(folder.roots, certificatePem, 0o644);
  await rm(folder.creating);
  await syncFolder(folder.dir);
  log.info({ dir: folder.dir, trustDomain, key: key.type ?? DEFAULT_KEY_TYPE }, 'a new root was created');
}

async function inFile(folder: Folder, { type, passphrase }: NewKey, trustDomain: TrustDomain, now: Date): Promise<string> {
  const secret = passphrase && (await readPassphrase(passphrase));
  const root = await createRoot(trustDomain, now, type);
  await writeAtomically(folder.key, await keyFileText(root.key, secret), 0o600);
  return root.certificatePem;
}

async function inToken(
  folder: Folder,
  store: string,
  { type = DEFAULT_KEY_TYPE }: NewKey,
  trustDomain: TrustDomain,
  now: Date,
  again: boolean,
): Promise<string> {
  const uri = parsePkcs11Uri(store);
  if (!uri.ok) throw new AuthorityError(`the key store: ${uri.reason}`);
  try {
    await generateInToken(uri.value, type, again);
  } catch (error) {
    await rm(folder.creating, { force: true });
    throw error instanceof AuthorityError
      ? error
      : new AuthorityError(
          `no key could be made in the PKCS#11 token: ${error instanceof Error ? error.message : String(error)}`,
        );
  }
  await writeAtomically(folder.keyUri, `${store}\n`, 0o600);
  const signer = await pkcs11Signer(uri.value);
  try {
    if (signer.type !== type)
      throw new AuthorityError(`the token has a key of the type ${signer.type} under that name, not ${type}`);
    return await selfSigned(signer, trustDomain, now);
  } finally {
    await signer.close?.();
  }
}

/** The place for the key of a later generation, beside the one that is kept at a URI. */
export function nextKeyUri(uri: string, generation: number): string {
  const suffixed = uri
    .replace(/(?<=[:;])id=[^;?&]*;?/, '')
    .replace(/(?<=[:;])object=([^;?]*?)(?:-g\d+)?(?=[;?]|$)/, `object=$1-g${generation}`);
  return suffixed.includes('object=') ? suffixed : suffixed.replace(/;?(?=\?|$)/, `;object=gatehouse-g${generation}`);
}
