import { createCipheriv, type KeyObject, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { TAG } from '../der/read.ts';
import { toPem } from '../der/pem.ts';
import { element, octetString, sequence, unsignedInteger } from '../der/write.ts';

const derive = promisify(pbkdf2);

/** OWASP's number for PBKDF2 with HMAC-SHA256; OpenSSL's own default of 2,048 is worth little against guessing. */
const ITERATIONS = 600_000;
const SALT_BYTES = 16;

const oid = (hexadecimal: string): Buffer => element(TAG.oid, Buffer.from(hexadecimal, 'hex'));
const PBES2 = oid('2a864886f70d01050d');
const PBKDF2 = oid('2a864886f70d01050c');
const HMAC_SHA256 = sequence(oid('2a864886f70d0209'), element(0x05));
const AES_256_CBC = oid('60864801650304012a');

/** Encrypts bytes under a passphrase: PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC (RFC 8018). */
export async function pbes2(
  plain: Uint8Array,
  passphrase: string,
): Promise<{ readonly algorithm: Buffer; readonly encrypted: Buffer }> {
  const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(16)];
  const key = await derive(passphrase, salt, ITERATIONS, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  key.fill(0);
  const iterations = Buffer.alloc(4);
  iterations.writeUInt32BE(ITERATIONS);
  const kdf = sequence(PBKDF2, sequence(octetString(salt), unsignedInteger(iterations), HMAC_SHA256));
  return { algorithm: sequence(PBES2, sequence(kdf, sequence(AES_256_CBC, octetString(iv)))), encrypted };
}

/** EncryptedPrivateKeyInfo (RFC 5958), DER. */
export async function encryptedKey(key: KeyObject, passphrase: string): Promise<Buffer> {
  const plain = key.export({ type: 'pkcs8', format: 'der' });
  const { algorithm, encrypted } = await pbes2(plain, passphrase);
  plain.fill(0);
  return sequence(algorithm, octetString(encrypted));
}

/** A private key as it is kept in a file: PKCS#8, encrypted where there is a passphrase. */
export async function keyFileText(key: KeyObject, passphrase: string | undefined): Promise<string> {
  if (passphrase === undefined) return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return toPem('ENCRYPTED PRIVATE KEY', await encryptedKey(key, passphrase));
}
