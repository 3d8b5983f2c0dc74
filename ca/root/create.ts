import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { toPem } from '../der/pem.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { newSerial } from '../sign/serial.ts';

export interface NewRoot {
  /** PKCS#8, PEM. */
  readonly keyPem: string;
  readonly certificatePem: string;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * A new self-signed root: ECDSA P-256, ten years, its trust domain as URI name (X.509-SVID, section 4: a signing certificate's SPIFFE
 * ID has no path), so that a folder cannot be opened for another trust domain by mistake.
 */
export async function createRoot(trustDomain: TrustDomain, now: Date): Promise<NewRoot> {
  const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const second = Math.floor(now.getTime() / 1000) * 1000;
  const serial = newSerial(randomBytes);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      keys,
      serialNumber: Buffer.from(serial).toString('hex'),
      name: [{ O: [trustDomain] }, { CN: ['Gatehouse root'] }],
      notBefore: new Date(second - 120_000),
      notAfter: new Date(second + 10 * YEAR_MS),
      signingAlgorithm: P256,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
        new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      ],
    },
    crypto,
  );
  const key = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    keyPem: toPem(PemConverter.PrivateKeyTag, key),
    certificatePem: toPem(PemConverter.CertificateTag, new Uint8Array(certificate.rawData)),
  };
}
