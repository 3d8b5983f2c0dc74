import { createHash } from 'node:crypto';
import { type EdgeKey, keyText } from '../model/edge.ts';

/** What an edge is known by in a store, and in addresses of the page: SHA-256 of all that tells it apart. */
export function edgeDigest(key: EdgeKey): Uint8Array {
  return createHash('sha256').update(keyText(key)).digest();
}

/** The same as text: 64 hexadecimal digits. */
export function edgeId(key: EdgeKey): string {
  return Buffer.from(edgeDigest(key)).toString('hex');
}
