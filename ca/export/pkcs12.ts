import { createHash, type KeyObject, randomBytes, type X509Certificate } from 'node:crypto';
import { TAG } from '../der/read.ts';
import { element, octetString, sequence, unsignedInteger } from '../der/write.ts';
import { encryptedKey, pbes2 } from '../key-store/encrypt.ts';
import { PKCS, tagged } from './oids.ts';
import { bmpString, pkcs12Mac } from './pkcs12-mac.ts';

export interface Pkcs12Contents {
  /** The key's own certificate first. */
  readonly certificates: readonly X509Certificate[];
  readonly key?: KeyObject | undefined;
  readonly passphrase: string;
  /** What tools show for the key and its certificate. */
  readonly name: string;
}

/** As many as for the encryption: whoever guesses passphrases would take the cheaper way. */
const MAC_ITERATIONS = 600_000;

/**
 * A PKCS#12 file (RFC 7292) with today's algorithms: PBES2 with AES-256, MAC with HMAC-SHA256. Keys of every type go in as PKCS#8.
 * OpenSSL 1.1.1 and newer, Java 8u301 and newer, and Windows Server 2019 and newer open it.
 */
export async function pkcs12({ certificates, key, passphrase, name }: Pkcs12Contents): Promise<Buffer> {
  const [own] = certificates;
  const id = own === undefined ? Buffer.alloc(0) : createHash('sha1').update(own.raw).digest();
  const attributes = element(
    TAG.set,
    sequence(PKCS.friendlyName, element(TAG.set, element(0x1e, bmpString(name)))),
    sequence(PKCS.localKeyId, element(TAG.set, octetString(id))),
  );
  const certBags = certificates.map(({ raw }) => {
    const value = tagged(sequence(PKCS.x509Certificate, tagged(octetString(raw))));
    return key !== undefined && raw === own?.raw ? sequence(PKCS.certBag, value, attributes) : sequence(PKCS.certBag, value);
  });
  const { algorithm, encrypted } = await pbes2(sequence(...certBags), passphrase);
  const hidden = sequence(PKCS.data, algorithm, element(0x80, encrypted));
  const safes = [sequence(PKCS.encryptedData, tagged(sequence(element(TAG.integer, Buffer.from([0])), hidden)))];
  if (key !== undefined) {
    const bag = sequence(PKCS.shroudedKeyBag, tagged(await encryptedKey(key, passphrase)), attributes);
    safes.push(sequence(PKCS.data, tagged(octetString(sequence(bag)))));
  }
  const authSafe = sequence(...safes);
  const version = element(TAG.integer, Buffer.from([3]));
  return sequence(version, sequence(PKCS.data, tagged(octetString(authSafe))), macData(authSafe, passphrase));
}

function macData(authSafe: Buffer, passphrase: string): Buffer {
  const salt = randomBytes(16);
  const mac = pkcs12Mac(['sha256', 64], passphrase, salt, MAC_ITERATIONS, authSafe);
  const digest = sequence(sequence(PKCS.sha256, element(0x05)), octetString(mac));
  const iterations = Buffer.alloc(4);
  iterations.writeUInt32BE(MAC_ITERATIONS);
  return sequence(digest, octetString(salt), unsignedInteger(iterations));
}
