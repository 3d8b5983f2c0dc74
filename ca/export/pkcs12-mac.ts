import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/** Hashes of PKCS#12 MACs by OID, with their block sizes in bytes. */
export const MAC_HASHES: Readonly<Record<string, readonly [name: string, block: number]>> = Object.freeze({
  '2b0e03021a': ['sha1', 64],
  '608648016503040201': ['sha256', 64],
  '608648016503040202': ['sha384', 128],
  '608648016503040203': ['sha512', 128],
});

/**
 * The MAC of a PKCS#12 file (RFC 7292, section 4 and appendix B.2 with the purpose 3). One output block is the whole key, so the loop is
 * one hash a round; node-forge's own takes a hundred times as long, which is minutes for today's numbers of rounds.
 */
export function pkcs12Mac(
  [name, block]: readonly [name: string, block: number],
  passphrase: string,
  salt: Uint8Array,
  iterations: number,
  contents: Uint8Array,
): Buffer {
  const secret = Buffer.concat([bmpString(passphrase), Buffer.alloc(2)]);
  let key: Buffer = Buffer.concat([Buffer.alloc(block, 3), filled(salt, block), filled(secret, block)]);
  for (let round = 0; round < iterations; round++) key = hash(name, key, 'buffer');
  return createHmac(name, key).update(contents).digest();
}

export function sameMac(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** UTF-16, big end first. */
export function bmpString(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/** Repeated up to a whole number of blocks. */
function filled(bytes: Uint8Array, block: number): Buffer {
  return Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes);
}
