import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { type KeyType, keyTypeOf, KEY_TYPES } from './key-type.ts';

/**
 * A CA key, wherever it is kept. Keys in this process's memory sign at once, without a turn of the event loop; a key in a device answers
 * later, and may reject while the device is away. Whoever signs awaits, or tells the two apart by `instanceof Promise`.
 */
export interface Signer {
  readonly type: KeyType;
  /** AlgorithmIdentifier of the signatures, DER. */
  readonly algorithm: Uint8Array;
  readonly publicKey: KeyObject;
  /** The signature over the bytes, as X.509 writes it (ECDSA: DER of r and s). */
  readonly sign: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** Lets go of devices and sessions. */
  readonly close?: () => Promise<void>;
}

/** The signer for a private key in memory, from a file or a Secret. */
export function memorySigner(key: KeyObject): Parsed<Signer> {
  const publicKey = createPublicKey(key);
  const type = keyTypeOf(publicKey);
  if (!type.ok) return refused(type.reason);
  const { algorithm, digest } = KEY_TYPES[type.value];
  return parsed({
    type: type.value,
    algorithm: Buffer.from(algorithm, 'hex'),
    publicKey,
    sign: (bytes) => sign(digest, bytes, key),
  });
}
