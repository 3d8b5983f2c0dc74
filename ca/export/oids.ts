import { TAG } from '../der/read.ts';
import { element } from '../der/write.ts';

const oid = (hexadecimal: string): Buffer => element(TAG.oid, Buffer.from(hexadecimal, 'hex'));

/** Object identifiers of PKCS#7 (RFC 5652) and PKCS#12 (RFC 7292), encoded. */
export const PKCS = Object.freeze({
  data: oid('2a864886f70d010701'),
  signedData: oid('2a864886f70d010702'),
  encryptedData: oid('2a864886f70d010706'),
  shroudedKeyBag: oid('2a864886f70d010c0a0102'),
  certBag: oid('2a864886f70d010c0a0103'),
  x509Certificate: oid('2a864886f70d01091601'),
  friendlyName: oid('2a864886f70d010914'),
  localKeyId: oid('2a864886f70d010915'),
  sha256: oid('608648016503040201'),
});

/** `[0]`, explicit. */
export const tagged = (...contents: readonly Uint8Array[]): Buffer => element(TAG.context0, ...contents);
