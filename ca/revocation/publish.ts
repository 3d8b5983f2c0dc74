import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { members, soleElement } from '../der/read.ts';
import { soleBlock } from '../der/pem.ts';
import type { Issuer } from '../sign/issuer.ts';
import { maySignCrls, signCrl } from './crl.ts';
import { listedCertificates, type RevocationList } from './list.ts';

const DAY_MS = 24 * 3_600_000;
const BACKDATE_MS = 120_000;
/** Twice the longest lifetime that a certificate can have: a control plane may be away for as long as certificates live. */
const CRL_LIFE_MS = 14 * DAY_MS;

/**
 * The lists for the trust bundle, PEM; undefined for none. Envoy refuses every certificate whose issuer has no list as soon as there is
 * one of any, so it is one of each issuer or none: without lists requests are still denied by policy.
 * @param others lists of other CAs under the same roots, PEM
 */
export async function publishCrls(
  list: RevocationList,
  issuers: readonly Issuer[],
  others: string,
  now: Date,
  log: Logger,
): Promise<string | undefined> {
  const certificates = listedCertificates(list);
  if ((certificates.length === 0 && others === '') || issuers.length === 0) return undefined;
  const gone = list.issuers.find(({ until }) => until !== undefined);
  if (gone !== undefined) {
    log.warn(
      { keyId: gone.keyId, until: gone.until },
      'the intermediate was replaced and the old one can sign no list any more; proxies get none until its last certificate has ended',
    );
    return undefined;
  }
  const unable = issuers.find((issuer) => !maySignCrls(issuer));
  if (unable !== undefined) {
    log.error(
      { subject: unable.certificate.subject, fingerprint: unable.certificate.fingerprint256 },
      'the CA certificate does not allow to sign revocation lists (key usage cRLSign), so proxies get none: requests are ' +
        'denied by policy, but a revoked certificate can still open a TCP connection',
    );
    return undefined;
  }
  const plan = {
    number: list.crlNumber,
    thisUpdate: new Date(now.getTime() - BACKDATE_MS),
    nextUpdate: new Date(now.getTime() + CRL_LIFE_MS),
    certificates,
  };
  return `${(await Promise.all(issuers.map((issuer) => signCrl(plan, issuer)))).join('')}${others}`;
}

const BLOCK = /-----BEGIN X509 CRL-----[A-Za-z0-9+/=\s]+-----END X509 CRL-----/g;
const LARGEST = 16 * 1024 * 1024;

/** Lists of other CAs from a file (Istio's `ca-crl.pem`); empty when there is none, or none that can be used. */
export async function otherCrls(path: string, log: Logger): Promise<string> {
  if (!existsSync(path)) return '';
  const text = await readFile(path, 'latin1');
  const blocks = text.length > LARGEST ? [] : (text.match(BLOCK) ?? []);
  const good = blocks.every((block) => {
    const der = soleBlock(`${block}\n`, ['X509 CRL']);
    return der.ok && members(soleElement(der.value))?.length === 3;
  });
  if (blocks.length > 0 && good) return blocks.map((block) => `${block}\n`).join('');
  log.error({ path }, 'the file is no revocation lists in PEM; it is left out');
  return '';
}
