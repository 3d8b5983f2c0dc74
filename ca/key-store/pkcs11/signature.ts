import { createHash } from 'node:crypto';
import { sequence, unsignedInteger } from '../../der/write.ts';
import type { KeyType } from '../key-type.ts';
import { CK } from './constants.ts';

/** How a token makes one kind of signature: mechanism, what it is given, what X.509 needs of what it gives back. */
export interface TokenSignature {
  readonly mechanism: bigint;
  readonly input: (bytes: Uint8Array) => Uint8Array;
  readonly output: (signature: Uint8Array) => Uint8Array;
}

const digest = (name: 'sha256' | 'sha384') => (bytes: Uint8Array) => createHash(name).update(bytes).digest();
const same = (bytes: Uint8Array) => bytes;

/** DigestInfo of SHA-256 without the digest (RFC 8017, section 9.2). */
const DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

// The digest is made here: every token has the plain mechanisms, not every one those that hash.
const RSA: TokenSignature = Object.freeze({
  mechanism: CK.CKM_RSA_PKCS,
  input: (bytes: Uint8Array) => Buffer.concat([DIGEST_INFO, digest('sha256')(bytes)]),
  output: same,
});

export const TOKEN_SIGNATURES: Readonly<Record<KeyType, TokenSignature>> = Object.freeze({
  'ec-p256': { mechanism: CK.CKM_ECDSA, input: digest('sha256'), output: ecdsaDer },
  'ec-p384': { mechanism: CK.CKM_ECDSA, input: digest('sha384'), output: ecdsaDer },
  'rsa-2048': RSA,
  'rsa-3072': RSA,
  'rsa-4096': RSA,
  ed25519: { mechanism: CK.CKM_EDDSA, input: same, output: same },
});

/** Tokens give r and s one after the other; X.509 wants a SEQUENCE of two INTEGERs (RFC 5480, appendix A). */
function ecdsaDer(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  return sequence(unsignedInteger(signature.subarray(0, half)), unsignedInteger(signature.subarray(half)));
}
