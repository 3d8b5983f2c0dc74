import { createPrivateKey, type KeyObject } from 'node:crypto';
import forge from 'node-forge';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { decryptPbes1 } from './pbes1.ts';

/** An encrypted key in PEM that OpenSSL 3 does not open (or to which the passphrase does not fit). */
export function decryptOld(text: string, label: string, passphrase: string): Parsed<KeyObject> {
  const wrong = refused('it cannot be decrypted: the passphrase is wrong, or the encryption is not supported');
  try {
    if (label === 'ENCRYPTED PRIVATE KEY') return encryptedInfo(forge.pki.encryptedPrivateKeyFromPem(text), passphrase) ?? wrong;
    if (label !== 'RSA PRIVATE KEY') return wrong;
    // Null where the passphrase is wrong, which node-forge's types leave out.
    const key: forge.pki.rsa.PrivateKey | null = forge.pki.decryptRsaPrivateKey(text, passphrase);
    return key === null ? wrong : parsed(createPrivateKey(forge.pki.privateKeyToPem(key)));
  } catch {
    return wrong;
  }
}

function encryptedInfo(info: forge.asn1.Asn1, passphrase: string): Parsed<KeyObject> | undefined {
  const old = decryptPbes1(Buffer.from(forge.asn1.toDer(info).getBytes(), 'latin1'), passphrase);
  if (old !== undefined) return parsed(keyFromDer(old));
  const opened: forge.asn1.Asn1 | null = forge.pki.decryptPrivateKeyInfo(info, passphrase);
  if (opened === null) return undefined;
  return parsed(keyFromDer(Buffer.from(forge.asn1.toDer(opened).getBytes(), 'latin1')));
}

function keyFromDer(der: Buffer): KeyObject {
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
