import type { KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { keyFileText } from '../key-store/encrypt.ts';
import { pkcs11Signer } from '../key-store/pkcs11/signer.ts';
import { parsePkcs11Uri } from '../key-store/pkcs11/uri.ts';
import { memorySigner, type Signer } from '../key-store/signer.ts';
import { assembleRoot } from '../root/assemble.ts';
import { syncFolder, writeAtomically } from '../root/atomic.ts';
import { AuthorityError } from '../root/error.ts';
import { type Folder, prepareFolder } from '../root/folder.ts';
import { lockFolder } from '../root/lock.ts';

/** A CA from elsewhere. */
export interface Imported {
  readonly key: KeyObject | { readonly uri: string };
  readonly certificate: X509Certificate;
  readonly chain: readonly X509Certificate[];
  readonly roots: readonly X509Certificate[];
}

/**
 * Puts a CA into an empty folder. Everything is checked against each other first, so that the folder opens afterwards or stays empty.
 * @throws AuthorityError that says what is wrong
 */
export async function importInto(
  folder: Folder,
  { key, certificate, chain, roots }: Imported,
  passphrase: string | undefined,
  trustDomain: TrustDomain | undefined,
): Promise<void> {
  await prepareFolder(folder);
  const unlock = lockFolder(folder.lock, folder.dir);
  try {
    const taken = [folder.key, folder.keyUri, folder.certificate, folder.roots, folder.chain, folder.issuanceLog].filter((path) =>
      existsSync(path),
    );
    if (taken.length > 0 && !existsSync(folder.creating))
      throw new AuthorityError(
        `there is an authority in ${folder.dir} (${taken.join(', ')}); import into an empty folder, or go over to the other ` +
          'CA with gatehouse ca rotate',
      );
    const files = { certificate: certificate.toString(), chain: pem(chain), roots: pem(roots) ?? '' };
    const names = { key: 'the key', certificate: 'the certificate', chain: 'the chain (--chain)', roots: 'the roots (--root)' };
    const signer = await signerOf(key);
    try {
      assembleRoot(files, signer, names, trustDomain);
    } finally {
      await signer.close?.();
    }
    await writeAtomically(folder.creating, '', 0o600);
    if ('uri' in key) await writeAtomically(folder.keyUri, `${key.uri}\n`, 0o600);
    else await writeAtomically(folder.key, await keyFileText(key, passphrase), 0o600);
    await writeAtomically(folder.certificate, files.certificate, 0o644);
    if (files.chain !== undefined) await writeAtomically(folder.chain, files.chain, 0o644);
    await writeAtomically(folder.roots, files.roots, 0o644);
    await rm(folder.creating);
    await syncFolder(folder.dir);
  } finally {
    unlock();
  }
}

async function signerOf(key: Imported['key']): Promise<Signer> {
  if ('uri' in key) {
    const uri = parsePkcs11Uri(key.uri);
    if (!uri.ok) throw new AuthorityError(uri.reason);
    return pkcs11Signer(uri.value);
  }
  const signer = memorySigner(key);
  if (!signer.ok) throw new AuthorityError(signer.reason);
  return signer.value;
}

function pem(certificates: readonly X509Certificate[]): string | undefined {
  return certificates.length === 0 ? undefined : certificates.map((one) => one.toString()).join('');
}
