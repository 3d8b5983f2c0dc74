import assert from 'node:assert/strict';
import { Names } from '../../../xds/subscription/names.ts';

describe('a set of names', () => {
  it('keeps what it had when others grow from it', () => {
    const first = Names.of(['a', 'b']);
    const second = first.with(['c', 'c', 'a']);
    const third = second.with(['d']);
    assert.deepEqual(
      [[...first], [...second], [...third]],
      [
        ['a', 'b'],
        ['a', 'b', 'c'],
        ['a', 'b', 'c', 'd'],
      ],
    );
    assert.deepEqual([first.has('c'), second.has('c'), second.has('d'), first.size, third.size], [false, true, false, 2, 4]);
  });

  it('grows by the same as another before it', () => {
    const base = Names.of(['a', 'b']);
    const [first, longer] = [base.with(['c']), base.with(['c', 'd'])];
    const again = base.with(['c', 'd']);
    const twice = base.with(['c', 'c']);
    assert.deepEqual(
      [[...first], [...longer], [...again], [...twice]],
      [
        ['a', 'b', 'c'],
        ['a', 'b', 'c', 'd'],
        ['a', 'b', 'c', 'd'],
        ['a', 'b', 'c'],
      ],
    );
    assert.deepEqual([first.has('d'), longer.has('d'), again.has('d'), twice.has('d')], [false, true, true, false]);
  });

  it('grows twice from the same set without mixing', () => {
    const first = Names.of(['a']);
    const [left, right] = [first.with(['b']), first.with(['c'])];
    assert.deepEqual(
      [[...left], [...right], [...right.with(['b'])], [...left.with(['b'])]],
      [
        ['a', 'b'],
        ['a', 'c'],
        ['a', 'c', 'b'],
        ['a', 'b'],
      ],
    );
    assert.deepEqual([left.has('c'), right.has('b')], [false, false]);
  });

  it('loses names, and is itself where nothing changes', () => {
    const all = Names.of(['a', 'b', 'c']);
    assert.deepEqual([...all.without(['b', 'x'])], ['a', 'c']);
    assert.equal(all.without(['x']), all);
    assert.equal(all.with(['a']), all);
    assert.deepEqual([...Names.NONE.with(['a'])], ['a']);
    assert.equal(Names.NONE.size, 0);
    assert.deepEqual([...Names.NONE], []);
  });
});
