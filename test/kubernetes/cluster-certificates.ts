import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const { digitalSignature, keyCertSign, cRLSign } = x509.KeyUsageFlags;

/**
 * The keys of a cluster in a folder, once: its CA (ca.crt), the API server's certificate (server.*), the administrator's (admin.*) and
 * the keys for ServiceAccount tokens (accounts.*).
 */
export async function writeClusterCertificates(folder: string): Promise<void> {
  if (existsSync(join(folder, 'ca.crt'))) return;
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });
  const newKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const keyPem = async ({ privateKey }: CryptoKeyPair): Promise<string> =>
    x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
  const notBefore = new Date(Date.now() - 60_000);

  const caKeys = await newKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test-cluster',
    serialNumber: '01',
    notBefore,
    keys: caKeys,
    signingAlgorithm: EC,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    ],
  });
  const issue = async (name: string, subject: string, usage: string, names: x509.JsonGeneralName[]): Promise<void> => {
    const keys = await newKeys();
    const cert = await x509.X509CertificateGenerator.create({
      serialNumber: `0${randomBytes(8).toString('hex').slice(1)}`,
      subject,
      issuer: ca.subject,
      notBefore,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      signingAlgorithm: EC,
      extensions: [
        new x509.KeyUsagesExtension(digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      ],
    });
    write(`${name}.crt`, cert.toString('pem'));
    write(`${name}.key`, await keyPem(keys));
  };
  await issue('server', 'CN=kube-apiserver', x509.ExtendedKeyUsage.serverAuth, [
    { type: 'dns', value: 'localhost' },
    { type: 'ip', value: '127.0.0.1' },
  ]);
  await issue('admin', 'O=system:masters, CN=admin', x509.ExtendedKeyUsage.clientAuth, []);
  const accounts = await newKeys();
  write('accounts.key', await keyPem(accounts));
  write('accounts.pub', x509.PemConverter.encode(await crypto.subtle.exportKey('spki', accounts.publicKey), 'PUBLIC KEY'));
  write('ca.crt', ca.toString('pem'));
}
