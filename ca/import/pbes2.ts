import { createDecipheriv, pbkdf2Sync } from 'node:crypto';
import { type Element, hex, members, TAG } from '../der/read.ts';

const PBKDF2 = '2a864886f70d01050c';
const HMAC_SHA1 = '2a864886f70d0207';
const MOST_ITERATIONS = 10_000_000;

/** Pseudo-random functions and ciphers of PBES2 (RFC 8018, appendix B), by OID. */
const DIGESTS: Readonly<Record<string, string>> = Object.freeze({
  [HMAC_SHA1]: 'sha1',
  '2a864886f70d0209': 'sha256',
  '2a864886f70d020a': 'sha384',
  '2a864886f70d020b': 'sha512',
});
const CIPHERS: Readonly<Record<string, readonly [name: string, keyBytes: number]>> = Object.freeze({
  '2a864886f70d0307': ['des-ede3-cbc', 24],
  '608648016503040102': ['aes-128-cbc', 16],
  '608648016503040116': ['aes-192-cbc', 24],
  '60864801650304012a': ['aes-256-cbc', 32],
});

/** Decrypts by the parameters of PBES2; undefined where they are not known. @throws Error when the passphrase does not fit */
export function decryptPbes2(parameters: Element | undefined, data: Uint8Array, passphrase: string): Buffer | undefined {
  const [derivation, encryption] = members(parameters) ?? [];
  const [kdf, kdfParameters] = members(derivation) ?? [];
  const [salt, count, ...rest] = members(kdfParameters) ?? [];
  const [cipherOid, iv] = members(encryption) ?? [];
  if (kdf === undefined || hex(kdf.value) !== PBKDF2 || salt?.tag !== TAG.octetString) return undefined;
  if (cipherOid === undefined || iv?.tag !== TAG.octetString) return undefined;
  const iterations = iterationsOf(count);
  const prf = members(rest.find(({ tag }) => tag === TAG.sequence))?.[0];
  const digest = DIGESTS[prf === undefined ? HMAC_SHA1 : hex(prf.value)];
  const cipher = CIPHERS[hex(cipherOid.value)];
  if (iterations === undefined || digest === undefined || cipher === undefined) return undefined;
  const [name, keyBytes] = cipher;
  const decipher = createDecipheriv(name, pbkdf2Sync(passphrase, salt.value, iterations, keyBytes, digest), iv.value);
  return Buffer.concat([decipher.update(data), decipher.final()]);
}

/** A number of rounds that ends in our lifetime. */
export function iterationsOf(count: Element | undefined): number | undefined {
  if (count?.tag !== TAG.integer || count.value.length > 5) return undefined;
  const iterations = Number.parseInt(hex(count.value), 16);
  return iterations >= 1 && iterations <= MOST_ITERATIONS ? iterations : undefined;
}
