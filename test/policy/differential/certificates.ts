import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { Issued } from '../../audit/envoy/certificates.ts';

/** Clocks that are read coarsely lag a little: what is issued at the turn of a second must not be ahead of them. */
const earlier = (): Date => new Date(Date.now() - 60_000);

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** What a certificate says of its holder; an authority that follows the X.509-SVID standard would sign none but one URI. */
export interface Names {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly subject?: string;
}

/** A root that signs whatever it is asked, to try certificates that no careful authority would make. */
export interface CarelessAuthority {
  readonly root: string;
  issue(names: Names): Promise<Issued>;
}

export async function carelessAuthority(): Promise<CarelessAuthority> {
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    notBefore: earlier(),
    name: 'O=careless',
    keys,
    signingAlgorithm: EC,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  let serial = 1;
  return {
    root: root.toString('pem'),
    issue: async ({ uris = [], dns = [], subject = '' }) => {
      const own = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
      serial += 1;
      const names = [
        ...dns.map((value) => ({ type: 'dns' as const, value })),
        ...uris.map((value) => ({ type: 'url' as const, value })),
      ];
      const cert = await x509.X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(2, '0'),
        notBefore: earlier(),
        subject,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: EC,
        extensions: [
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
          ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names, subject === '')]),
        ],
      });
      const key = await crypto.subtle.exportKey('pkcs8', own.privateKey);
      return { cert: cert.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
    },
  };
}
