import { EMPTY_ROOT, nodeHash, type TreeHash } from './hash.ts';

/**
 * The right edge of a tree: the roots of its largest complete subtrees, left to right, one for each bit of its size. Enough to append
 * and to tell the root, in memory that grows with the logarithm of the size.
 */
export interface Frontier {
  readonly size: number;
  readonly subtrees: readonly TreeHash[];
}

export const EMPTY: Frontier = Object.freeze({ size: 0, subtrees: Object.freeze([]) });

/** How many subtrees a tree of that size has. */
export function subtreeCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/** The tree with more leaves at its end, by their leaf hashes. */
export function extend(tree: Frontier, leaves: Iterable<TreeHash>): Frontier {
  const subtrees = [...tree.subtrees];
  let size = tree.size;
  for (const leaf of leaves) {
    let root = leaf;
    // Every complete subtree as large as this one merges with it: one for each 1 at the end of the size in binary.
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = subtrees.pop();
      if (left === undefined) throw new RangeError('the frontier has too few subtrees for its size');
      root = nodeHash(left, root);
    }
    subtrees.push(root);
    size++;
  }
  return { size, subtrees };
}

/** The Merkle tree hash (RFC 6962, section 2.1). */
export function rootOf({ subtrees }: Frontier): TreeHash {
  return (
    subtrees.reduceRight<TreeHash | undefined>((right, left) => (right ? nodeHash(left, right) : left), undefined) ?? EMPTY_ROOT
  );
}
