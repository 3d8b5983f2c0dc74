import type { X509Certificate } from 'node:crypto';
import { TAG } from '../der/read.ts';
import { element, sequence } from '../der/write.ts';
import { PKCS, tagged } from './oids.ts';

/** Certificates as PKCS#7 without a signer (RFC 5652, section 5; "certs-only"), DER: what Windows and Java tools import as a chain. */
export function pkcs7(certificates: readonly X509Certificate[]): Buffer {
  const version = element(TAG.integer, Buffer.from([1]));
  const none = element(TAG.set);
  const list = tagged(...certificates.map(({ raw }) => raw));
  return sequence(PKCS.signedData, tagged(sequence(version, none, sequence(PKCS.data), list, none)));
}
