import { X509Certificate } from 'node:crypto';
import { certificateBlocks } from '../der/pem.ts';

/**
 * What a server presents: its certificate with all above it. OpenSSL given a certificate alone looks for its issuer among the trusted roots
 * at every handshake, and verifies its signature each time, to send the same bytes (docs/decisions/0008-issuance-speed.md).
 * @param chainPem leaf and intermediates
 * @param rootsPem the trust bundle
 */
export function presentedChain(chainPem: string, rootsPem: string): string {
  const [leaf, ...intermediates] = certificateBlocks(chainPem);
  if (leaf === undefined || intermediates.length > 0) return chainPem;
  const certificate = new X509Certificate(leaf);
  const issuer = certificateBlocks(rootsPem).find((pem) => {
    const root = new X509Certificate(pem);
    return certificate.checkIssued(root) && certificate.verify(root.publicKey);
  });
  return issuer === undefined ? chainPem : `${leaf}${issuer}`;
}
