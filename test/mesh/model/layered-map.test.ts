import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { LayeredMap } from '../../../mesh/model/layered-map.ts';

const SEED = 20261121;

const entries = fc.array(fc.tuple(fc.nat(600), fc.option(fc.nat(3), { nil: undefined })), { maxLength: 40 });

function changed(
  map: ReadonlyMap<number, number>,
  changes: readonly (readonly [number, number | undefined])[],
): Map<number, number> {
  const made = new Map(map);
  for (const [key, value] of changes) {
    if (value === undefined) made.delete(key);
    else made.set(key, value);
  }
  return made;
}

describe('a map in layers', () => {
  it(`is after any changes the map that a plain one is (seed ${SEED})`, () => {
    fc.assert(
      fc.property(fc.nat(400), fc.array(entries, { maxLength: 30 }), (size, steps) => {
        let plain = new Map(Array.from({ length: size }, (_, key) => [key, 0]));
        let layered = LayeredMap.of(plain);
        for (const changes of steps) {
          const before = layered;
          const content = new Map(before);
          plain = changed(plain, changes);
          layered = layered.with(changes);
          assert.deepEqual(new Map(before), content, 'what there was stays as it was');
          assert.deepEqual(new Map(layered), plain);
          assert.equal(layered.size, plain.size);
          for (let key = 0; key <= 600; key += 37) assert.equal(layered.get(key), plain.get(key));
          const differing = before.differing(layered);
          const all = new Set([...content.keys(), ...plain.keys()]);
          if (differing !== undefined)
            assert.deepEqual([...differing].sort(), [...all].filter((key) => content.get(key) !== plain.get(key)).sort());
          assert.deepEqual(new Map(LayeredMap.like(before, plain)), plain);
          assert.equal(LayeredMap.like(before, plain).size, plain.size);
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('keeps the place of what changes its value, and is itself where nothing does', () => {
    const map = LayeredMap.of(
      new Map([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]),
    );
    assert.deepEqual([...map.with([['b', 5]]).keys()], ['a', 'b', 'c']);
    assert.deepEqual([...map.with([['d', 4]]).values()], [1, 2, 3, 4]);
    assert.equal(map.with([['b', 2]]), map);
    assert.equal(map.with([['d', undefined]]), map);
  });
});
