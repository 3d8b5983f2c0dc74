import { hash } from 'node:crypto';

/** A SHA-256 of the tree. RFC 6962, section 2.1. */
export type TreeHash = Buffer;

export const HASH_BYTES = 32;

/** By way of text: asked for bytes, node:crypto allocates outside of V8's heap for each, at twice the cost, and has them collected. */
const sha256 = (bytes: Uint8Array | string): TreeHash => Buffer.from(hash('sha256', bytes, 'binary'), 'binary');

/** The root of a tree without leaves. */
export const EMPTY_ROOT: TreeHash = sha256('');

const [LEAF, NODE] = [Buffer.of(0), Buffer.of(1)];

/** The prefix keeps a leaf from being taken for an inner node (second preimages). */
export function leafHash(entry: Uint8Array): TreeHash {
  return sha256(Buffer.concat([LEAF, entry]));
}

/** The same of an entry in UTF-8. */
export function leafHashOfText(entry: string): TreeHash {
  return sha256(`\0${entry}`);
}

// A prefix and two hashes: filled anew for each node, and hashed at once.
const node = Buffer.alloc(1 + 2 * HASH_BYTES, NODE);

export function nodeHash(left: Uint8Array, right: Uint8Array): TreeHash {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) return sha256(Buffer.concat([NODE, left, right]));
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return sha256(node);
}
