import assert from 'node:assert/strict';
import { SameLists } from '../../../xds/stream/same-lists.ts';

const LONG = 40;

function bytesOf(names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => Buffer.from([0x1a, name.length, ...Buffer.from(name)])));
}

const names = (prefix: string): readonly string[] =>
  Array.from({ length: LONG }, (_, at) => `${prefix}-${String(at).padStart(4, '0')}`);

describe('lists of names that came before', () => {
  it('are the same object for the same bytes, and are read once', () => {
    const lists = new SameLists();
    let read = 0;
    const take = (of: readonly string[]) =>
      lists.of(bytesOf(of), () => {
        read += 1;
        return [...of];
      });
    const first = take(names('one'));
    assert.equal(take(names('one')), first);
    assert.notEqual(take(names('two')), first);
    assert.equal(read, 2);
    assert.deepEqual(take(names('two')), names('two'));
  });

  it('are told apart by every byte, also where a sample is alike', () => {
    const lists = new SameLists();
    for (let at = 0; at < LONG; at++) {
      const changed = names('same').map((name, index) => (index === at ? name.replace('same', 'some') : name));
      assert.deepEqual(
        lists.of(bytesOf(names('same')), () => names('same')),
        names('same'),
      );
      assert.deepEqual(
        lists.of(bytesOf(changed), () => changed),
        changed,
      );
    }
  });

  it('cannot be changed by who asks for them', () => {
    const lists = new SameLists();
    const list = lists.of(bytesOf(names('one')), () => [...names('one')]);
    assert.ok(Object.isFrozen(list));
  });

  it('keep no bytes of a message that is used again', () => {
    const lists = new SameLists();
    const bytes = bytesOf(names('one'));
    lists.of(bytes, () => names('one'));
    bytes.fill(0);
    assert.deepEqual(
      lists.of(bytesOf(names('one')), () => assert.fail('it is known')),
      names('one'),
    );
    assert.deepEqual(
      lists.of(bytes, () => ['other']),
      ['other'],
    );
  });

  it('are forgotten, the one used longest ago first, when they are too many; short ones are not kept', () => {
    const one = bytesOf(names('one')).length;
    const lists = new SameLists(one * 4);
    const all = ['aaa', 'bbb', 'ccc', 'ddd'].map(names);
    for (const list of all) lists.of(bytesOf(list), () => list);
    lists.of(bytesOf(all[0] ?? []), () => assert.fail('it is known'));
    lists.of(bytesOf(names('eee')), () => names('eee'));
    assert.equal(lists.bytes, one * 4);
    lists.of(bytesOf(all[0] ?? []), () => assert.fail('it was used last'));
    let again = false;
    lists.of(bytesOf(all[1] ?? []), () => {
      again = true;
      return all[1] ?? [];
    });
    assert.ok(again);
    lists.of(Buffer.from([0x1a, 1, 97]), () => ['a']);
    assert.equal(lists.bytes, one * 4);
  });
});
