import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import { EMPTY, extend, rootOf, subtreeCount } from '../../../../ca/log/merkle/frontier.ts';
import { EMPTY_ROOT, leafHash, leafHashOfText, nodeHash, type TreeHash } from '../../../../ca/log/merkle/hash.ts';
import { consistencyRows, inclusionRows, type Row, RowHasher } from '../../../../ca/log/merkle/proof.ts';
import { verifyConsistency, verifyInclusion } from '../../../../ca/log/merkle/verify.ts';

/** The leaves of Certificate Transparency's reference tests, and the roots of the trees of the first n. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const SEED = 20261121;

/** The definition of RFC 6962, section 2.1, word by word. */
function definition(leaves: readonly TreeHash[]): TreeHash {
  const [first] = leaves;
  if (first === undefined) return EMPTY_ROOT;
  if (leaves.length === 1) return first;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(definition(leaves.slice(0, k)), definition(leaves.slice(k)));
}

const leavesOf = (size: number) => Array.from({ length: size }, (_, index) => leafHash(Buffer.from(`entry ${index}`)));
const treeOf = (leaves: readonly TreeHash[]) => rootOf(extend(EMPTY, leaves));

function hashesOf(rows: readonly Row[], leaves: readonly TreeHash[]): readonly TreeHash[] {
  const hasher = new RowHasher(rows);
  for (const leaf of leaves) hasher.add(leaf);
  return hasher.hashes(rows);
}

describe('ca/log/merkle: the tree of RFC 6962', () => {
  it("has the roots of Certificate Transparency's reference tests", () => {
    let tree = EMPTY;
    assert.equal(rootOf(tree).toString('hex'), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    for (const [index, leaf] of LEAVES.entries()) {
      tree = extend(tree, [leafHash(Buffer.from(leaf, 'hex'))]);
      assert.equal(rootOf(tree).toString('hex'), ROOTS[index]);
    }
  });

  it('hashes a text as its UTF-8, halves of characters too', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('utf16le');
        return leafHashOfText(text).equals(leafHash(Buffer.from(text)));
      }),
      { seed: SEED },
    );
  });

  it('is what the definition says, of every size up to 130, grown one by one or at once', () => {
    const leaves = leavesOf(130);
    let grown = EMPTY;
    for (let size = 0; size <= 130; size++) {
      assert.deepEqual(treeOf(leaves.slice(0, size)), definition(leaves.slice(0, size)));
      assert.deepEqual(rootOf(grown), definition(leaves.slice(0, size)));
      assert.equal(grown.subtrees.length, subtreeCount(size));
      grown = extend(grown, leaves.slice(size, size + 1));
    }
  });

  it('proves every leaf of every tree up to 40, and no other leaf, place or root', () => {
    const leaves = leavesOf(40);
    for (let size = 1; size <= 40; size++) {
      const [part, root] = [leaves.slice(0, size), treeOf(leaves.slice(0, size))];
      for (const [index, leaf] of part.entries()) {
        const path = hashesOf(inclusionRows(index, size), part);
        const right = { leaf, index, size, path, root };
        assert.ok(verifyInclusion(right), `${index} of ${size}`);
        assert.equal(verifyInclusion({ ...right, leaf: leafHash(Buffer.from('another')) }), false);
        assert.equal(verifyInclusion({ ...right, root: EMPTY_ROOT }), false);
        assert.equal(verifyInclusion({ ...right, path: [...path, EMPTY_ROOT] }), false);
        if (path.length > 0) assert.equal(verifyInclusion({ ...right, path: path.slice(1) }), false);
        if (size > 1) assert.equal(verifyInclusion({ ...right, index: (index + 1) % size }), false);
      }
    }
    assert.equal(verifyInclusion({ leaf: EMPTY_ROOT, index: 0, size: 0, path: [], root: EMPTY_ROOT }), false);
  });

  it('proves that every tree up to 40 extends every older one, and nothing that is not so', () => {
    const leaves = leavesOf(40);
    const roots = Array.from({ length: 41 }, (_, size) => treeOf(leaves.slice(0, size)));
    const of = (size: number) => ({ size, root: roots[size] ?? EMPTY_ROOT });
    for (let size = 1; size <= 40; size++)
      for (let older = 1; older <= size; older++) {
        const proof = hashesOf(consistencyRows(older, size), leaves.slice(0, size));
        assert.ok(verifyConsistency({ older: of(older), newer: of(size), proof }), `${older} to ${size}`);
        assert.equal(verifyConsistency({ older: { size: older, root: EMPTY_ROOT }, newer: of(size), proof }), false);
        assert.equal(verifyConsistency({ older: of(older), newer: { size, root: EMPTY_ROOT }, proof }), false);
        assert.equal(verifyConsistency({ older: of(older), newer: of(size), proof: [...proof, EMPTY_ROOT] }), false);
        if (proof.length > 0)
          assert.equal(verifyConsistency({ older: of(older), newer: of(size), proof: proof.slice(1) }), false);
      }
    assert.equal(verifyConsistency({ older: of(3), newer: of(2), proof: [] }), false);
    assert.ok(verifyConsistency({ older: of(0), newer: of(7), proof: [] }));
  });

  it(`holds for trees of any size (seed ${SEED})`, () => {
    const leaves = leavesOf(3000);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.nat(), fc.nat(), (size, a, b) => {
        const [index, older] = [a % size, 1 + (b % size)];
        const part = leaves.slice(0, size);
        const [first, second] = [inclusionRows(index, size), consistencyRows(older, size)];
        const hasher = new RowHasher([...first, ...second]);
        for (const leaf of part) hasher.add(leaf);
        const root = treeOf(part);
        const leaf = part[index] ?? EMPTY_ROOT;
        assert.ok(verifyInclusion({ leaf, index, size, path: hasher.hashes(first), root }));
        const pair = { older: { size: older, root: treeOf(part.slice(0, older)) }, newer: { size, root } };
        assert.ok(verifyConsistency({ ...pair, proof: hasher.hashes(second) }));
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('refuses leaves and trees that are not there', () => {
    assert.throws(() => inclusionRows(3, 3), RangeError);
    assert.throws(() => consistencyRows(0, 3), RangeError);
    assert.throws(() => consistencyRows(4, 3), RangeError);
    assert.throws(() => new RowHasher([{ start: 0, end: 2 }]).hashes([{ start: 0, end: 2 }]), RangeError);
  });
});
