import assert from 'node:assert/strict';
import { heldForKeys } from '../../../cli/serve/jwks/hold.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { snapshot } from '../model.ts';

/** A keeper that is asked by hand. */
class Keeper {
  waiting = false;
  followed = 0;
  #answer: (() => void)[] = [];
  follow = (): void => void (this.followed += 1);
  pending = (): boolean => this.waiting;
  asked = (): Promise<void> => new Promise((resolve) => this.#answer.push(resolve));
  async answer(): Promise<void> {
    this.waiting = false;
    for (const one of this.#answer.splice(0)) one();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('snapshots that wait for keys', () => {
  let keeper: Keeper;
  let published: number[];
  let timers: (() => void)[];
  let offer: (one: Snapshot) => void;
  const at = (number: number): Snapshot => snapshot({ number });

  beforeEach(() => {
    keeper = new Keeper();
    published = [];
    timers = [];
    offer = heldForKeys(
      keeper,
      ({ number }) => published.push(number),
      (_, task) => {
        timers.push(task);
        return () => (timers = timers.filter((one) => one !== task));
      },
    );
  });

  it('are published at once where no key is missing', () => {
    offer(at(1));
    offer(at(2));
    assert.deepEqual(published, [1, 2]);
    assert.equal(timers.length, 0);
  });

  it('are published when the issuers have answered, the last of several', async () => {
    keeper.waiting = true;
    offer(at(1));
    offer(at(2));
    assert.deepEqual(published, []);
    assert.equal(keeper.followed, 2, 'keys of the second are fetched at once');
    await keeper.answer();
    assert.deepEqual(published, [2]);
    assert.equal(timers.length, 0);
    offer(at(3));
    assert.deepEqual(published, [2, 3]);
  });

  it('are published after a time, whatever issuers do, and once', async () => {
    keeper.waiting = true;
    offer(at(1));
    timers[0]?.();
    assert.deepEqual(published, [1]);
    await keeper.answer();
    assert.deepEqual(published, [1]);
  });
});
