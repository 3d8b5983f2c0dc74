import { createPrivateKey, type KeyObject } from 'node:crypto';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]{0,30}PRIVATE KEY)-----[\s\S]+?-----END \1-----/g;
const LARGEST = 64 * 1024;

/**
 * A private key in any form of the last thirty years: PKCS#8 plain or encrypted (PBES2, PBES1), PKCS#1 and SEC 1 plain or encrypted in
 * OpenSSL's old way (DEK-Info). node:crypto reads what OpenSSL 3 still takes; node-forge the rest (DES, RC2, MD5). Reasons never hold
 * anything of the key.
 */
export async function readPrivateKey(pem: string, passphrase: string | undefined): Promise<Parsed<KeyObject>> {
  if (pem.length > LARGEST) return refused('it is larger than 64 KiB');
  const blocks = [...pem.matchAll(BLOCK)];
  const [block] = blocks;
  if (block === undefined) return refused('there is no private key in PEM');
  if (blocks.length > 1) return refused('there is more than one private key');
  const [text, label = ''] = block;
  const encrypted = label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: *4, *ENCRYPTED/im.test(text);
  if (encrypted && passphrase === undefined) return refused('it is encrypted, and no passphrase was given');
  try {
    return parsed(createPrivateKey({ key: text, ...(encrypted && passphrase !== undefined && { passphrase }) }));
  } catch {
    if (!encrypted || passphrase === undefined) return refused('it is no private key that can be read');
    // Loaded here and not at the top: it is large, and hardly ever needed.
    const { decryptOld } = await import('./old-encryption.ts');
    return decryptOld(text, label, passphrase);
  }
}
