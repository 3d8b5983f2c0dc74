import { createPublicKey } from 'node:crypto';
import { toPem } from '../der/pem.ts';
import { hex, members, soleElement, TAG, wholeBits } from '../der/read.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

export type KeyKind = 'P-256' | 'P-384' | 'RSA' | 'Ed25519';

export interface RequestedKey {
  readonly kind: KeyKind;
  /** SubjectPublicKeyInfo as it came, DER. */
  readonly spki: Uint8Array;
  /** The same as PEM: node:crypto takes twice as long to read DER (docs/decisions/0008-issuance-speed.md). */
  readonly pem: string;
}

/** What a certificate may be issued for, by the whole AlgorithmIdentifier, DER. RFC 5480, RFC 8017, RFC 8410. */
const ALGORITHMS: Readonly<Record<string, KeyKind>> = Object.freeze({
  '301306072a8648ce3d020106082a8648ce3d030107': 'P-256',
  '301006072a8648ce3d020106052b81040022': 'P-384',
  '300d06092a864886f70d0101010500': 'RSA',
  '300506032b6570': 'Ed25519',
});

const RSA_BITS = Object.freeze({ least: 2048, most: 4096 });

/** Takes SubjectPublicKeyInfo of an allow-listed algorithm and size. Whether the key itself is sound shows when it verifies something. */
export function parseKey(spki: Uint8Array): Parsed<RequestedKey> {
  const [algorithm, bits, extra] = members(soleElement(spki)) ?? [];
  const key = wholeBits(bits);
  if (algorithm === undefined || key === undefined || extra !== undefined) return refused('the public key is malformed');
  const kind = ALGORITHMS[hex(algorithm.raw)];
  if (kind === undefined) return refused('the key algorithm is not allowed; use ECDSA P-256 or P-384, RSA, or Ed25519');
  const reason = badKey(kind, key);
  if (reason !== undefined) return refused(reason);
  return parsed({ kind, spki, pem: toPem('PUBLIC KEY', spki) });
}

/** Whether OpenSSL takes the key: it refuses points that are not on the curve. */
export function isUsable({ pem }: RequestedKey): boolean {
  try {
    createPublicKey(pem);
    return true;
  } catch {
    return false;
  }
}

function badKey(kind: KeyKind, key: Uint8Array): string | undefined {
  switch (kind) {
    case 'P-256':
      return uncompressed(key, 32) ? undefined : 'the EC public key is not an uncompressed point';
    case 'P-384':
      return uncompressed(key, 48) ? undefined : 'the EC public key is not an uncompressed point';
    case 'Ed25519':
      return key.length === 32 ? undefined : 'the Ed25519 public key is not 32 bytes long';
    case 'RSA':
      return badRsa(key);
    default:
      return kind satisfies never;
  }
}

function uncompressed(point: Uint8Array, coordinate: number): boolean {
  return point.length === 1 + 2 * coordinate && point[0] === 4;
}

function badRsa(key: Uint8Array): string | undefined {
  const [modulus, exponent, extra] = members(soleElement(key)) ?? [];
  if (modulus?.tag !== TAG.integer || exponent?.tag !== TAG.integer || extra !== undefined)
    return 'the RSA public key is malformed';
  const bits = bitLength(modulus.value);
  if (bits === undefined || bits < RSA_BITS.least || bits > RSA_BITS.most)
    return `RSA keys must have ${RSA_BITS.least} to ${RSA_BITS.most} bits`;
  // A huge exponent makes every verification slow; a small one makes forgeries of bad paddings easy. All software uses 65537.
  return hex(exponent.value) === '010001' ? undefined : 'RSA keys must have the public exponent 65537';
}

/** Bits of a positive DER INTEGER; undefined for negative or padded ones. */
function bitLength(integer: Uint8Array): number | undefined {
  const [first = 0x80, second = 0] = integer;
  if (first >= 0x80 || (first === 0 && second < 0x80)) return undefined;
  const digits = first === 0 ? integer.subarray(1) : integer;
  return digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24;
}
