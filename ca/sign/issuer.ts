import { hash, type KeyObject, type X509Certificate } from 'node:crypto';
import { certificateFields, subjectKeyId } from '../der/certificate.ts';
import { OID } from '../der/oid.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import type { Signer } from '../key-store/signer.ts';
import type { Validity } from './validity.ts';

/** A CA certificate with the means to sign under it. */
export interface Issuer {
  readonly certificate: X509Certificate;
  readonly publicKey: KeyObject;
  /** Its subject, DER: the issuer of what it signs. */
  readonly name: Uint8Array;
  readonly keyId: Uint8Array;
  /** Its own, or what it shares with the certificates above it. */
  readonly validity: Validity;
  /** AlgorithmIdentifier of its signatures, DER. */
  readonly algorithm: Uint8Array;
  /** At once for a key in memory, later for one in a device: see Signer. */
  readonly sign: Signer['sign'];
}

/** Joins a CA certificate and its key. The key must be the certificate's; the certificate must be a CA's. */
export function issuerOf(certificate: X509Certificate, signer: Signer): Parsed<Issuer> {
  if (!certificate.ca) return refused('the certificate is not a CA certificate');
  if (!certificate.publicKey.equals(signer.publicKey)) return refused('the key does not belong to the CA certificate');
  const fields = certificateFields(certificate.raw);
  if (fields === undefined) return refused('the CA certificate is malformed');
  return parsed({
    certificate,
    publicKey: certificate.publicKey,
    name: fields.subject,
    keyId: subjectKeyId(fields, OID.subjectKeyIdentifier) ?? keyIdOf(fields.spki),
    validity: { notBefore: certificate.validFromDate, notAfter: certificate.validToDate },
    algorithm: signer.algorithm,
    sign: signer.sign,
  });
}

/** RFC 7093, section 2, method 4: the leftmost 160 bits of the SHA-256 of the SubjectPublicKeyInfo. */
export function keyIdOf(spki: Uint8Array): Uint8Array {
  return Buffer.from(hash('sha256', spki, 'binary').slice(0, 20), 'binary');
}
