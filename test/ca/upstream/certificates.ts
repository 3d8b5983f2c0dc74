import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { KeptKey } from '../../../ca/upstream/key-place.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate with its key, made by a library of its own, apart from what is tested. */
export interface TestAuthority {
  readonly certificate: X509Certificate;
  readonly pem: string;
  readonly keyPem: string;
  readonly keys: CryptoKeyPair;
}

export interface TestAuthorityOptions {
  readonly name: string;
  /** Self-signed when absent. */
  readonly issuer?: TestAuthority;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly pathLength?: number;
  /** False: a leaf. */
  readonly ca?: boolean;
  readonly usages?: KeyUsageFlags;
  readonly uris?: readonly string[];
  readonly ips?: readonly string[];
  readonly extensions?: readonly Extension[];
}

export async function testAuthority(options: TestAuthorityOptions): Promise<TestAuthority> {
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  return certify(keys, keys.publicKey, options);
}

/** As `testAuthority`, for a key that somebody else has. */
export async function certify(
  keys: CryptoKeyPair,
  publicKey: CryptoKey,
  { name, issuer, ca = true, ...options }: TestAuthorityOptions,
): Promise<TestAuthority> {
  const signer = issuer ?? { keys, certificate: undefined };
  const names = [
    ...(options.uris ?? []).map((value) => ({ type: 'url', value }) as const),
    ...(options.ips ?? []).map((value) => ({ type: 'ip', value }) as const),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: `40${randomBytes(15).toString('hex')}`,
    subject: `CN=${name}`,
    issuer: signer.certificate?.subject ?? `CN=${name}`,
    notBefore: options.notBefore ?? new Date(Date.now() - 60_000),
    notAfter: options.notAfter ?? new Date(Date.now() + 365 * 24 * 3600_000),
    publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: EC,
    extensions: [
      new BasicConstraintsExtension(ca, options.pathLength, true),
      new KeyUsagesExtension(options.usages ?? (ca ? KeyUsageFlags.keyCertSign : KeyUsageFlags.digitalSignature), true),
      await SubjectKeyIdentifierExtension.create(publicKey, false, crypto),
      await AuthorityKeyIdentifierExtension.create(signer.keys.publicKey, false, crypto),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
      ...(options.extensions ?? []),
    ],
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate,
    pem: `${certificate.toString('pem')}\n`,
    keyPem: `${PemConverter.encode(key, PemConverter.PrivateKeyTag)}\n`,
    keys,
  };
}

/** The text of a key that is kept in a file. */
export function keyText(key: KeptKey): string {
  if (key.kind === 'token') throw new TypeError('the key is in a token');
  return key.text;
}
