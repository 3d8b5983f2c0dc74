import assert from 'node:assert/strict';
import { Turns } from '../../../xds/stream/turns.ts';

/** The turns of the event loop that it took, each as the streams that were worked on in it. */
async function turnsOf(costs: Readonly<Record<string, number>>, act: (turns: Turns<string>) => void): Promise<string[][]> {
  let now = 0;
  const done: string[][] = [];
  let current: string[] | undefined;
  const turns = new Turns<string>(
    (stream) => {
      if (current === undefined) {
        done.push((current = []));
        setImmediate(() => (current = undefined));
      }
      current.push(stream);
      now += costs[stream] ?? 0.1;
      return false;
    },
    () => now,
  );
  act(turns);
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  return done;
}

describe('turns of streams', () => {
  it('cheap ones share a turn, one that costs ends it', async () => {
    const done = await turnsOf({ b: 30, d: 30 }, (turns) => {
      for (const stream of ['a', 'b', 'c', 'd', 'e']) turns.add(stream);
    });
    assert.deepEqual(done, [['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('others get their turn in between, and come first served', async () => {
    let between = 0;
    const done = await turnsOf({ a: 5, b: 5, c: 5 }, (turns) => {
      for (const stream of ['a', 'b', 'c', 'a']) turns.add(stream);
      setImmediate(() => (between += 1));
    });
    assert.deepEqual(done, [['a'], ['b'], ['c']]);
    assert.equal(between, 1);
  });

  for (const [others, together] of [
    [0, [1, 1, 1]],
    [7, [1, 3, 3]],
    [1_000, [1, 7, 7]],
  ] as const) {
    it(`streams take as long as others took before, when that was ${others} ms, but not for ever`, async () => {
      let now = 0;
      const done: number[] = [];
      const turns = new Turns<number>(
        () => {
          now += 3;
          done[done.length - 1] = (done.at(-1) ?? 0) + 1;
          return false;
        },
        () => now,
      );
      for (let stream = 0; stream < 30; stream += 1) turns.add(stream);
      for (let turn = 0; turn < together.length; turn += 1) {
        done.push(0);
        await new Promise(setImmediate);
        now += others;
      }
      assert.deepEqual(done, together);
    });
  }

  it('who has more to do goes to the end of the line', async () => {
    const done: string[] = [];
    let left = 2;
    const turns = new Turns<string>((stream) => {
      done.push(stream);
      return stream === 'a' && (left -= 1) >= 0;
    });
    turns.add('a');
    turns.add('b');
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    assert.deepEqual(done, ['a', 'b', 'a', 'a']);
  });

  it('who is gone is not worked on', async () => {
    const done = await turnsOf({ a: 5 }, (turns) => {
      turns.add('a');
      turns.add('b');
      turns.delete('b');
    });
    assert.deepEqual(done, [['a']]);
  });
});
