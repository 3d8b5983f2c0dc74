import { EMPTY, extend, type Frontier, rootOf } from './frontier.ts';
import type { TreeHash } from './hash.ts';

/** The leaves from `start` up to, not with, `end`; a proof consists of the roots of such rows. */
export interface Row {
  readonly start: number;
  readonly end: number;
}

/** The largest power of two below n: where RFC 6962 splits a tree of n leaves. */
function split(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

/** What the audit path of a leaf consists of, from the leaf up (RFC 6962, section 2.1.1). */
export function inclusionRows(index: number, size: number): readonly Row[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`a tree of ${size} has no leaf ${index}`);
  const rows: Row[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      rows.push({ start: middle, end });
      end = middle;
    } else {
      rows.push({ start, end: middle });
      start = middle;
    }
  }
  return rows.toReversed();
}

/** What the proof consists of that a tree extends an older one (RFC 6962, section 2.1.2). */
export function consistencyRows(older: number, size: number): readonly Row[] {
  if (!(older > 0 && older <= size)) throw new RangeError(`no tree of ${older} is the beginning of one of ${size}`);
  const rows: Row[] = [];
  let [start, end] = [0, size];
  // Whether the older tree is still a whole subtree from its own first leaf, whose root the verifier knows.
  let known = true;
  while (older !== end) {
    const middle = start + split(end - start);
    if (older <= middle) {
      rows.push({ start: middle, end });
      end = middle;
    } else {
      rows.push({ start, end: middle });
      start = middle;
      known = false;
    }
  }
  if (!known) rows.push({ start, end });
  return rows.toReversed();
}

/** Hashes the rows of any number of proofs in one pass over the leaves; keeps a logarithm of them in memory. */
export class RowHasher {
  readonly #trees = new Map<string, { readonly row: Row; tree: Frontier }>();
  #next = 0;

  constructor(rows: Iterable<Row>) {
    for (const row of rows) this.#trees.set(`${row.start}-${row.end}`, { row, tree: EMPTY });
  }

  /** Takes the hash of the next leaf. */
  add(leaf: TreeHash): void {
    for (const part of this.#trees.values())
      if (this.#next >= part.row.start && this.#next < part.row.end) part.tree = extend(part.tree, [leaf]);
    this.#next++;
  }

  /** The roots of rows given before; all their leaves must have been added. */
  hashes(rows: readonly Row[]): readonly TreeHash[] {
    return rows.map(({ start, end }) => {
      const tree = this.#trees.get(`${start}-${end}`)?.tree;
      if (tree?.size !== end - start) throw new RangeError(`the leaves ${start} to ${end} were not all added`);
      return rootOf(tree);
    });
  }
}
