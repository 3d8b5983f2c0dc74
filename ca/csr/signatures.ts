import type { KeyKind } from './keys.ts';

export interface SignatureAlgorithm {
  /** node:crypto's digest name; null where the algorithm has its own (Ed25519). */
  readonly digest: 'sha256' | 'sha384' | 'sha512' | null;
  readonly keys: readonly KeyKind[];
}

const EC: readonly KeyKind[] = Object.freeze<KeyKind[]>(['P-256', 'P-384']);
const ED25519: readonly KeyKind[] = Object.freeze<KeyKind[]>(['Ed25519']);
const RSA: readonly KeyKind[] = Object.freeze<KeyKind[]>(['RSA']);

/** Signature algorithms taken on a request, by AlgorithmIdentifier, DER. RFC 5758, RFC 4055, RFC 8410. No SHA-1, no PSS. */
export const SIGNATURES: Readonly<Record<string, SignatureAlgorithm>> = Object.freeze({
  '300a06082a8648ce3d040302': { digest: 'sha256', keys: EC },
  '300a06082a8648ce3d040303': { digest: 'sha384', keys: EC },
  '300a06082a8648ce3d040304': { digest: 'sha512', keys: EC },
  '300d06092a864886f70d01010b0500': { digest: 'sha256', keys: RSA },
  '300d06092a864886f70d01010c0500': { digest: 'sha384', keys: RSA },
  '300d06092a864886f70d01010d0500': { digest: 'sha512', keys: RSA },
  '300506032b6570': { digest: null, keys: ED25519 },
});
