import { createPrivateKey, type KeyObject } from 'node:crypto';
import forge from 'node-forge';
import { members, soleElement, TAG } from '../der/read.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { decryptUnder } from './decrypt.ts';

/** An encrypted key in PEM that OpenSSL 3 does not open (or to which the passphrase does not fit). */
export function decryptOld(text: string, label: string, passphrase: string): Parsed<KeyObject> {
  const wrong = refused('it cannot be decrypted: the passphrase is wrong, or the encryption is not supported');
  try {
    if (label === 'ENCRYPTED PRIVATE KEY') return encryptedInfo(text, passphrase) ?? wrong;
    if (label !== 'RSA PRIVATE KEY') return wrong;
    // Null where the passphrase is wrong, which node-forge's types leave out.
    const key: forge.pki.rsa.PrivateKey | null = forge.pki.decryptRsaPrivateKey(text, passphrase);
    return key === null ? wrong : parsed(createPrivateKey(forge.pki.privateKeyToPem(key)));
  } catch {
    return wrong;
  }
}

function encryptedInfo(text: string, passphrase: string): Parsed<KeyObject> | undefined {
  const der = Buffer.from(text.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const [algorithm, data] = members(soleElement(der)) ?? [];
  if (algorithm === undefined || data?.tag !== TAG.octetString) return undefined;
  const opened = decryptUnder(algorithm.raw, data.value, passphrase);
  return opened && parsed(createPrivateKey({ key: opened, format: 'der', type: 'pkcs8' }));
}
