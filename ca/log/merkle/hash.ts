import { hash } from 'node:crypto';

/** A SHA-256 of the tree. RFC 6962, section 2.1. */
export type TreeHash = Buffer;

export const HASH_BYTES = 32;

const [LEAF, NODE] = [Buffer.of(0), Buffer.of(1)];

const sha256 = (bytes: Uint8Array): TreeHash => hash('sha256', bytes, 'buffer');

/** The root of a tree without leaves. */
export const EMPTY_ROOT: TreeHash = sha256(new Uint8Array());

/** The prefix keeps a leaf from being taken for an inner node (second preimages). */
export function leafHash(entry: Uint8Array): TreeHash {
  return sha256(Buffer.concat([LEAF, entry]));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): TreeHash {
  return sha256(Buffer.concat([NODE, left, right]));
}
