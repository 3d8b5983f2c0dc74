import { createHash } from 'node:crypto';
import forge from 'node-forge';
import { hex, members, soleElement, TAG } from '../der/read.ts';
import { iterationsOf } from './pbes2.ts';

/** PBES1 with DES-CBC (RFC 8018, section 6.1), which OpenSSL 3 has only in its legacy provider and node-forge not at all. */
const DIGESTS: Readonly<Record<string, 'md5' | 'sha1'>> = Object.freeze({
  '2a864886f70d010503': 'md5',
  '2a864886f70d01050a': 'sha1',
});

/** The PrivateKeyInfo inside, DER; undefined where it is another scheme, or the passphrase is wrong. */
export function decryptPbes1(encryptedInfo: Uint8Array, passphrase: string): Buffer | undefined {
  const [algorithm, data] = members(soleElement(encryptedInfo)) ?? [];
  const [oid, parameters] = members(algorithm) ?? [];
  const [salt, count] = members(parameters) ?? [];
  const digest = oid === undefined ? undefined : DIGESTS[hex(oid.value)];
  if (digest === undefined || data?.tag !== TAG.octetString || salt?.tag !== TAG.octetString || count === undefined)
    return undefined;
  const iterations = iterationsOf(count);
  if (iterations === undefined) return undefined;
  let derived: Buffer = Buffer.concat([Buffer.from(passphrase, 'utf8'), salt.value]);
  for (let round = 0; round < iterations; round++) derived = createHash(digest).update(derived).digest();
  const binary = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
  const cipher = forge.cipher.createDecipher('DES-CBC', binary(derived.subarray(0, 8)));
  cipher.start({ iv: binary(derived.subarray(8, 16)) });
  cipher.update(forge.util.createBuffer(binary(data.value)));
  if (!cipher.finish()) return undefined;
  const plain = Buffer.from(cipher.output.getBytes(), 'latin1');
  return soleElement(plain)?.tag === TAG.sequence ? plain : undefined;
}
