import { EMPTY_ROOT, nodeHash, type TreeHash } from './hash.ts';

export interface Inclusion {
  readonly leaf: TreeHash;
  readonly index: number;
  readonly size: number;
  readonly path: readonly TreeHash[];
  readonly root: TreeHash;
}

/** Whether the leaf is where it is said to be in the tree with that root (RFC 9162, section 2.1.3.2). */
export function verifyInclusion({ leaf, index, size, path, root }: Inclusion): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  let [position, last] = [index, size - 1];
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      hash = nodeHash(sibling, hash);
      while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)];
    } else hash = nodeHash(hash, sibling);
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && hash.equals(root);
}

export interface Consistency {
  readonly older: { readonly size: number; readonly root: TreeHash };
  readonly newer: { readonly size: number; readonly root: TreeHash };
  readonly proof: readonly TreeHash[];
}

/** Whether the newer tree begins with all of the older one (RFC 9162, section 2.1.4.2). */
export function verifyConsistency({ older, newer, proof }: Consistency): boolean {
  if (!Number.isSafeInteger(older.size) || !Number.isSafeInteger(newer.size) || older.size < 0 || older.size > newer.size)
    return false;
  if (older.size === 0) return proof.length === 0 && older.root.equals(EMPTY_ROOT);
  if (older.size === newer.size) return proof.length === 0 && older.root.equals(newer.root);
  const [first, ...rest] = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof;
  if (first === undefined) return false;
  let [position, last] = [older.size - 1, newer.size - 1];
  while (position % 2 === 1) [position, last] = [half(position), half(last)];
  let [before, after] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      before = nodeHash(sibling, before);
      after = nodeHash(sibling, after);
      while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)];
    } else after = nodeHash(after, sibling);
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && before.equals(older.root) && after.equals(newer.root);
}

function isPowerOfTwo(size: number): boolean {
  let rest = size;
  while (rest % 2 === 0) rest /= 2;
  return rest === 1;
}

/** Not `>> 1`: sizes may need more than 32 bits. */
function half(value: number): number {
  return Math.floor(value / 2);
}
