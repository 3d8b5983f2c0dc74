import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { readRotation } from '../rotation/file.ts';
import { generationFolder } from '../rotation/generation.ts';
import { signing } from '../rotation/state.ts';
import { memorySigner } from '../key-store/signer.ts';
import { type Issuer, issuerOf } from '../sign/issuer.ts';
import type { Validity } from '../sign/validity.ts';
import { syncFolder, writeAtomically } from './atomic.ts';
import { parseBundle, pathToRoot } from './chain.ts';
import { AuthorityError } from './error.ts';
import { checkKeyFile, type Folder, prepareFolder } from './folder.ts';

/** The authority's certificates and key, checked against each other. */
export interface Root {
  readonly issuer: Issuer;
  /** The trust bundle: root-cert.pem. */
  readonly roots: readonly X509Certificate[];
  readonly rootCertPem: string;
  /** CA certificates below the root, the issuing one first; empty when the root itself issues. PEM. */
  readonly intermediatesPem: readonly string[];
  /** All certificates that may have issued a caller's certificate: issuing CA, intermediates, roots. */
  readonly issuers: readonly X509Certificate[];
}

export interface RootOptions {
  readonly clock: () => Date;
  readonly trustDomain: TrustDomain;
  readonly log: Logger;
}

/** Loads the root kept in a folder, or makes a new one in an empty folder. Rejects with AuthorityError on anything doubtful. */
export async function loadOrCreateRoot(folder: Folder, options: RootOptions): Promise<Root> {
  await prepareFolder(folder);
  if (existsSync(folder.creating)) await discardUnfinished(folder, options.log);
  const present = [folder.key, folder.certificate, folder.roots].filter((path) => existsSync(path));
  if (present.length === 0) await writeNewRoot(folder, options);
  return loadRoot(folder, options.trustDomain);
}

/** Loads the root that signs, in whichever generation of a rotation; never creates one. */
export async function loadRoot(folder: Folder, trustDomain?: TrustDomain): Promise<Root> {
  const rotation = await readRotation(folder.dir);
  const place = rotation === undefined ? folder : generationFolder(folder.dir, signing(rotation.state));
  return loadFolder(place, trustDomain);
}

/** Loads the root whose files are in exactly this folder. */
export async function loadFolder(folder: Folder, trustDomain?: TrustDomain): Promise<Root> {
  const missing = [folder.key, folder.certificate, folder.roots].filter((path) => !existsSync(path));
  if (missing.length === 3)
    throw new AuthorityError(
      `there is no authority in ${folder.dir}; gatehouse serve makes one, and so does gatehouse ca root --create`,
    );
  if (missing.length > 0)
    throw new AuthorityError(
      `${missing.join(' and ')} missing, while other files of the authority are in ${folder.dir}; restore from a backup, ` +
        'or start with a new folder (then every workload must get the new root)',
    );
  await checkKeyFile(folder.key);
  const certificates = await bundleAt(folder.certificate);
  const [certificate, ...followers] = certificates;
  const roots = await bundleAt(folder.roots);
  const chain = [...followers, ...(existsSync(folder.chain) ? await bundleAt(folder.chain) : [])];
  if (certificate === undefined) throw new AuthorityError(`${folder.certificate}: there is no certificate`);
  const signer = memorySigner(await keyAt(folder.key));
  if (!signer.ok) throw new AuthorityError(`${folder.key}: ${signer.reason}`);
  const issuer = issuerOf(certificate, signer.value);
  if (!issuer.ok) throw new AuthorityError(`${folder.certificate} and ${folder.key}: ${issuer.reason}`);
  const path = pathToRoot(certificate, chain, roots);
  if (path === undefined)
    throw new AuthorityError(
      `${folder.certificate} does not lead to a root in ${folder.roots}; put the certificates between them into ${folder.chain}`,
    );
  checkTrustDomain(folder, certificate, trustDomain);
  const intermediates = path.root.raw.equals(certificate.raw) ? [] : [certificate, ...path.between];
  return {
    issuer: { ...issuer.value, validity: sharedValidity([certificate, ...path.between, path.root]) },
    roots,
    rootCertPem: roots.map((root) => root.toString()).join(''),
    intermediatesPem: intermediates.map((item) => item.toString()),
    issuers: [certificate, ...path.between, ...roots],
  };
}

/** When all of a chain is valid: a leaf must not outlive any certificate above it. */
function sharedValidity(chain: readonly X509Certificate[]): Validity {
  return {
    notBefore: new Date(Math.max(...chain.map(({ validFromDate }) => validFromDate.getTime()))),
    notAfter: new Date(Math.min(...chain.map(({ validToDate }) => validToDate.getTime()))),
  };
}

function checkTrustDomain(folder: Folder, certificate: X509Certificate, trustDomain: TrustDomain | undefined): void {
  const uri = /(?:^|, )URI:(spiffe:\/\/[^/,]+)(?:$|,)/.exec(certificate.subjectAltName ?? '')?.[1];
  if (uri === undefined || trustDomain === undefined || uri === `spiffe://${trustDomain}`) return;
  throw new AuthorityError(
    `${folder.certificate} is of the trust domain ${uri.slice('spiffe://'.length)}, not ${trustDomain}; give the right one, or another folder`,
  );
}

async function bundleAt(path: string): Promise<readonly X509Certificate[]> {
  const bundle = parseBundle(await readFile(path, 'utf8'));
  if (!bundle.ok) throw new AuthorityError(`${path}: ${bundle.reason}`);
  return bundle.value;
}

async function keyAt(path: string): Promise<KeyObject> {
  try {
    return createPrivateKey(await readFile(path, 'utf8'));
  } catch {
    // OpenSSL's message is of no help, and the cause must not carry key material into logs.
    throw new AuthorityError(`${path} is no private key in PEM, or it is encrypted`);
  }
}

/**
 * Writes a new root so that a crash at any moment is told from damage: while `.creating` is there nothing was issued yet, and the next
 * start begins again.
 */
async function writeNewRoot(folder: Folder, { clock, trustDomain, log }: RootOptions): Promise<void> {
  const { createRoot } = await import('./create.ts');
  const root = await createRoot(trustDomain, clock());
  await writeAtomically(folder.creating, '', 0o600);
  await writeAtomically(folder.key, root.keyPem, 0o600);
  await writeAtomically(folder.certificate, root.certificatePem, 0o644);
  await writeAtomically(folder.roots, root.certificatePem, 0o644);
  await rm(folder.creating);
  await syncFolder(folder.dir);
  log.info({ dir: folder.dir, trustDomain }, 'a new root was created');
}

async function discardUnfinished(folder: Folder, log: Logger): Promise<void> {
  if (existsSync(folder.issuanceLog))
    throw new AuthorityError(
      `${folder.creating} says that the root is unfinished, but ${folder.issuanceLog} exists; restore the folder from a backup`,
    );
  for (const path of [folder.key, folder.certificate, folder.roots]) await rm(path, { force: true });
  await syncFolder(folder.dir);
  await rm(folder.creating);
  await syncFolder(folder.dir);
  log.warn(
    { dir: folder.dir },
    'an earlier start was cut off while it created the root; nothing was issued under it, so it is made anew',
  );
}
