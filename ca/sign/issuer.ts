import { createHash, type KeyObject, sign, type X509Certificate } from 'node:crypto';
import { certificateFields, subjectKeyId } from '../der/certificate.ts';
import { OID } from '../der/oid.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
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
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

interface Signing {
  readonly algorithm: string;
  readonly digest: 'sha256' | 'sha384' | null;
}

/** How a CA key signs, by node:crypto's name of the key or curve. */
const SIGNING: Readonly<Record<string, Signing>> = Object.freeze({
  prime256v1: { algorithm: '300a06082a8648ce3d040302', digest: 'sha256' },
  secp384r1: { algorithm: '300a06082a8648ce3d040303', digest: 'sha384' },
  rsa: { algorithm: '300d06092a864886f70d01010b0500', digest: 'sha256' },
  ed25519: { algorithm: '300506032b6570', digest: null },
});

/** Joins a CA certificate and its private key. The key must be the certificate's; the certificate must be a CA's. */
export function issuerOf(certificate: X509Certificate, key: KeyObject): Parsed<Issuer> {
  if (!certificate.ca) return refused('the certificate is not a CA certificate');
  if (!certificate.checkPrivateKey(key)) return refused('the key does not belong to the CA certificate');
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? '';
  const signing = SIGNING[kind];
  if (signing === undefined)
    return refused(`CA keys of the kind ${kind} are not supported; use ECDSA P-256 or P-384, RSA or Ed25519`);
  const fields = certificateFields(certificate.raw);
  if (fields === undefined) return refused('the CA certificate is malformed');
  return parsed({
    certificate,
    publicKey: certificate.publicKey,
    name: fields.subject,
    keyId: subjectKeyId(fields, OID.subjectKeyIdentifier) ?? keyIdOf(fields.spki),
    validity: { notBefore: certificate.validFromDate, notAfter: certificate.validToDate },
    algorithm: Buffer.from(signing.algorithm, 'hex'),
    sign: (bytes) => sign(signing.digest, bytes, key),
  });
}

/** RFC 7093, section 2, method 4: the leftmost 160 bits of the SHA-256 of the SubjectPublicKeyInfo. */
export function keyIdOf(spki: Uint8Array): Uint8Array {
  return createHash('sha256').update(spki).digest().subarray(0, 20);
}
