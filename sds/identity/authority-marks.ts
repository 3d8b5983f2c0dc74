import 'reflect-metadata';
import type { X509Certificate } from 'node:crypto';
import { BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension, X509Certificate as Parsed } from '@peculiar/x509';

/**
 * Whether a certificate is marked as a CA's in either way (X.509-SVID, sections 4.1 and 4.3: a leaf must have neither).
 * OpenSSL's own verdict, which Node gives as `ca`, is true only when both marks agree.
 */
export function hasAuthorityMarks(certificate: X509Certificate): boolean {
  const parsed = new Parsed(certificate.raw);
  const constraints = parsed.getExtension(BasicConstraintsExtension);
  const usages = parsed.getExtension(KeyUsagesExtension);
  return constraints?.ca === true || ((usages?.usages ?? 0) & (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)) !== 0;
}
