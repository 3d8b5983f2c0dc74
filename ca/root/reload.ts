import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { KeyAccess } from '../key-store/open.ts';
import type { Every } from '../tls/credentials.ts';
import type { Folder } from './folder.ts';
import { loadFolder, type Root } from './load.ts';

export interface ReloadOptions {
  /** The folder of the root that signs now. */
  readonly folder: () => Folder;
  readonly trustDomain: TrustDomain;
  readonly access: KeyAccess | undefined;
  readonly current: () => Root;
  readonly replace: (root: Root) => Promise<void>;
  readonly every: Every;
  readonly log: Logger;
}

/** Four files to stat: costs nothing, and is soon enough for people. */
const LOOK_EVERY_MS = 1000;
const RETRY_LOOKS = 5;

/**
 * Takes over new files of a plugged-in CA while the authority runs. Files are looked at instead of watched: they are replaced in many ways
 * (rename, copy, a link further up), and watching misses some of them. They count once they stayed the same between two looks, and only
 * together: while the key is not the certificate's, or the chain does not lead to a root, the last good root goes on, with an error in the
 * log.
 * @returns how to stop
 */
export function reloadOnChange(options: ReloadOptions): () => void {
  const { folder, every, log } = options;
  let [settled, seen]: [string | undefined, string | undefined] = [undefined, undefined];
  let [complaint, looksLeft]: [string | undefined, number] = [undefined, 0];
  let looking = false;
  const look = async (): Promise<void> => {
    const here = folder();
    const stamp = await stampOf(here);
    const still = stamp === seen;
    seen = stamp;
    looksLeft -= 1;
    if (!still || stamp === settled || (complaint !== undefined && looksLeft > 0)) return;
    try {
      await load(options, here, stamp);
      [settled, complaint] = [stamp, undefined];
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Again later, even without a change: a passphrase, a PIN or a token may come back.
      looksLeft = RETRY_LOOKS;
      if (reason !== complaint)
        log.error({ reason }, 'the files of the CA changed and cannot be used; the last good ones stay in force');
      complaint = reason;
    }
  };
  return every(LOOK_EVERY_MS, () => {
    if (looking) return;
    looking = true;
    void look()
      .catch((error: unknown) => log.error({ err: error }, 'the files of the CA cannot be looked at'))
      .finally(() => (looking = false));
  });
}

async function load({ trustDomain, access, current, replace, log }: ReloadOptions, from: Folder, stamp: string): Promise<void> {
  const made = await loadFolder(from, trustDomain, access);
  if ((await stampOf(from)) !== stamp) {
    await made.close();
    throw new Error('they changed while they were read');
  }
  const before = current();
  if (sameFiles(before, made)) return made.close();
  const dropped = before.roots.filter((root) => !made.roots.some(({ raw }) => raw.equals(root.raw)));
  // An intermediate of before stays one of ours as long as its root is trusted: its callers come back to renew.
  const issuers = dropped.length > 0 ? made.issuers : uniqueBy([...made.issuers, ...before.issuers]);
  await replace({ ...made, issuers });
  await before.close();
  const { fingerprint256, validTo } = made.issuer.certificate;
  log.info({ sha256: fingerprint256, notAfter: validTo }, 'the files of the CA changed; the new ones are in force');
  if (dropped.length > 0)
    log.warn(
      { roots: dropped.map(({ fingerprint256: sha256 }) => sha256) },
      'a root left the trust bundle at once: workloads that have certificates under it are refused until they renew; gatehouse ca rotate does this without an interruption',
    );
}

/** What was loaded at the start, or by a rotation, or was only touched. */
function sameFiles(one: Root, other: Root): boolean {
  const all = ({ issuer, rootCertPem, intermediatesPem }: Root) =>
    [issuer.certificate.toString(), rootCertPem, ...intermediatesPem].join('');
  return all(one) === all(other);
}

function uniqueBy<Item extends { readonly fingerprint256: string }>(items: readonly Item[]): readonly Item[] {
  return [...new Map(items.map((item) => [item.fingerprint256, item])).values()];
}

async function stampOf({ key, keyUri, certificate, chain, roots }: Folder): Promise<string> {
  const stamps = [key, keyUri, certificate, chain, roots].map(async (path) => {
    const found = await stat(path).catch(() => undefined);
    return found === undefined ? '-' : `${found.ino}/${found.mtimeMs}/${found.size}`;
  });
  return (await Promise.all(stamps)).join(' ');
}
