import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type Box, covers, difference, members, merged, setOf, size, without } from '../../../policy/access/box.ts';
import { IDENTITIES, METHODS, pathsIn } from '../../../policy/access/domain.ts';
import { representativeAddresses } from '../../../policy/access/addresses.ts';
import { representatives } from '../../../policy/access/representatives.ts';
import { ofNamespace, ofText } from '../../../policy/access/value-language.ts';
import { inBlocks } from '../../../policy/evaluate/address.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import { isText, valueOf } from '../../../policy/evaluate/text.ts';
import type { PolicyMatch } from '../../../mesh/model/authorization-policy.ts';

const SEED = 20261121;

/** Which of the values a text matches. */
function signature(values: readonly PolicyMatch[], text: string): string {
  return values.map((value) => (isText(value, text) ? '1' : '0')).join('');
}

describe('policy, access: parts', () => {
  const boxes = fc.array(fc.tuple(fc.bigInt(1n, 15n), fc.bigInt(1n, 7n), fc.bigInt(1n, 3n)), { maxLength: 5 });
  const points = Array.from({ length: 4 * 3 * 2 }, (_, index): Box => [
    1n << BigInt(index % 4),
    1n << BigInt(Math.floor(index / 4) % 3),
    1n << BigInt(Math.floor(index / 12)),
  ]);
  const inside = (all: readonly Box[], point: Box): boolean => all.some((box) => covers(box, point));

  it('boxes are cut and merged without losing or gaining a point', () => {
    fc.assert(
      fc.property(boxes, boxes, (some, cuts) => {
        const left = difference(some, cuts) ?? [];
        for (const point of points) {
          const want = inside(some, point) && !inside(cuts, point);
          assert.equal(inside(left, point), want);
          assert.equal(inside(merged(left), point), want);
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('the pieces of a box share nothing', () => {
    const pieces = without([15n, 7n, 3n], [3n, 1n, 1n]);
    for (const point of points) assert.ok(pieces.filter((piece) => covers(piece, point)).length <= 1);
    assert.deepEqual(difference([[1n]], [[1n]]), []);
  });

  it('sets of numbers are counted and listed whatever their size', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200)), (numbers) => {
        const bits = setOf(numbers);
        assert.equal(size(bits), numbers.length);
        assert.deepEqual(
          members(bits),
          numbers.toSorted((a, b) => a - b),
        );
      }),
      { seed: SEED },
    );
  });

  const written = fc.constantFrom(
    '/a',
    '/a*',
    '/a/b',
    '/a/*',
    '*/b',
    '*.txt',
    '/',
    '/a/{*}/b',
    '/{**}/b',
    '/a/{**}',
    '/a.b*',
    '*b',
  );
  const values = fc
    .uniqueArray(written, { minLength: 1, maxLength: 5 })
    .map((texts) => texts.map((text): PolicyMatch => (text.includes('{') ? { kind: 'template', value: text } : valueOf(text))));
  const segments = fc.constantFrom('a', 'b', 'a.b', 'x', 'x.txt', 'ab', 'b.txt', '');
  const paths = fc.array(segments, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);

  it('every combination that some path has is found, and no path that cannot be', () => {
    for (const mode of ['NONE', 'BASE', 'MERGE_SLASHES'] as const) {
      fc.assert(
        fc.property(values, fc.array(paths, { minLength: 20, maxLength: 20 }), (list, tried) => {
          const { texts, complete } = representatives(
            list.flatMap((value) => ofText(value)),
            pathsIn([mode]),
          );
          assert.ok(complete);
          for (const text of texts) assert.equal(normalizedPath(text, mode), text);
          const found = new Set(texts.map((text) => signature(list, text)));
          for (const path of tried) {
            const normal = normalizedPath(path, mode);
            assert.ok(found.has(signature(list, normal)), `${mode} ${normal} of ${JSON.stringify(list)}: ${texts.join(' ')}`);
          }
        }),
        { seed: SEED, numRuns: 150 },
      );
    }
  });

  it('identities are well-formed, in and out of a namespace', () => {
    const { texts } = representatives(
      [...ofNamespace({ kind: 'exact', value: 'shop' }), ...ofText(valueOf('cluster.local/*'))],
      IDENTITIES,
    );
    for (const text of texts) assert.match(text, /^[a-z0-9._-]+\/(ns\/[^/]+\/sa\/[^/]+|[^/]+)$/);
    assert.equal(texts.filter((text) => text.startsWith('cluster.local/')).length, 2);
    assert.equal(texts.filter((text) => text.includes('/ns/shop/')).length, 2);
  });

  it('a search that would take too long is given up, and says so', () => {
    const many = Array.from({ length: 18 }, (_, index) =>
      ofText({ kind: 'template', value: `/{**}${'abcdefghijklmnopqr'.charAt(index)}{**}` }),
    );
    assert.equal(representatives(many.flat(), pathsIn(['BASE'])).complete, false);
    assert.equal(representatives(ofText(valueOf('P*')), METHODS).complete, true);
  });

  it('addresses of every combination of blocks are found', () => {
    const blocks = ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '0.0.0.0/0', '2001:db8::/32', '::/0', '192.0.2.128/25'];
    const signatureOf = (address: string): string => blocks.map((block) => String(inBlocks([block])(address))).join();
    const found = new Set(representativeAddresses(blocks).map(signatureOf));
    const tried = [
      '10.1.2.3',
      '10.1.2.4',
      '10.2.0.0',
      '11.0.0.1',
      '192.0.2.127',
      '192.0.2.128',
      '2001:db8::1',
      '2001:db9::',
      'fe80::1',
      '255.255.255.255',
    ];
    for (const address of tried) assert.ok(found.has(signatureOf(address)), address);
  });
});
