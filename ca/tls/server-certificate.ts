import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Certify } from '../certify.ts';
import { parseKey } from '../csr/keys.ts';
import { AuthorityError } from '../root/error.ts';
import type { SpiffeId } from '../identity/spiffe-id.ts';
import { type CertificateNames, parseIpAddress } from '../sign/names.ts';

const generate = promisify(generateKeyPair);

/** A certificate for the control plane's own server. Its key lives in this process's memory only. */
export interface ServerCertificate {
  readonly serial: string;
  /** Leaf and intermediates, without the root. */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** When half of what is left now is over. */
  readonly renewAt: Date;
}

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Issues a certificate with DNS names and addresses, which no caller can get: the steps of a request never lead here. Rejects when the authority cannot issue. */
export async function issueServerCertificate(
  certify: Certify,
  names: readonly string[],
  ttlSeconds: number,
  clock: () => Date,
): Promise<ServerCertificate> {
  const addresses = names.flatMap((name) => parseIpAddress(name) ?? []);
  const dnsNames = names.filter((name) => parseIpAddress(name) === undefined);
  const wrong = dnsNames.find((name) => !DNS_NAME.test(name));
  if (wrong !== undefined)
    throw new AuthorityError(`${JSON.stringify(wrong)} is neither a DNS name nor an IP address, for the server certificate`);
  return issueOwn(certify, { kind: 'server', dnsNames, addresses }, ttlSeconds, clock);
}

/** The control plane's own SVID, for servers that are known by a SPIFFE ID. Rejects when the authority cannot issue. */
export function issueOwnSvid(
  certify: Certify,
  spiffeId: SpiffeId,
  ttlSeconds: number,
  clock: () => Date,
): Promise<ServerCertificate> {
  return issueOwn(certify, { kind: 'workload', spiffeId }, ttlSeconds, clock);
}

async function issueOwn(
  certify: Certify,
  names: CertificateNames,
  ttlSeconds: number,
  clock: () => Date,
): Promise<ServerCertificate> {
  const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
  const key = parseKey(publicKey.export({ type: 'spki', format: 'der' }));
  if (!key.ok) throw new Error(key.reason);
  const made = await certify({
    names,
    key: key.value,
    ttlSeconds,
    evidence: { kind: 'self', subject: 'control plane' },
  });
  if (!made.ok) throw new AuthorityError(`no certificate for the control plane's own server: ${made.refusal.reason}`);
  const now = clock().getTime();
  const { notBefore, notAfter, certChain, serial } = made.value;
  return {
    serial,
    chainPem: certChain.slice(0, -1).join(''),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    notBefore,
    notAfter,
    renewAt: new Date(now + (notAfter.getTime() - now) / 2),
  };
}
