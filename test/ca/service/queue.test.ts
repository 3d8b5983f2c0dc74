import { strict as assert } from 'node:assert';
import { type FairQueue, fairQueue, type Patience, type Turn } from '../../../ca/service/queue.ts';

describe('ca/service: the queue', () => {
  let order: string[];
  let leaves: (() => void)[];
  let queue: FairQueue;
  const patient: Patience = { gaveUp: () => false, onGivingUp: () => undefined };
  const upTo = (signal: AbortSignal): Patience => ({
    gaveUp: () => signal.aborted,
    onGivingUp: (task) => signal.addEventListener('abort', task),
  });
  const enter = (source: string, name: string, patience = patient): Promise<Turn> => {
    const turn = Promise.resolve(queue.enter(source, patience));
    void turn.then((given) => {
      order.push(given.kind === 'go' ? name : `${name} ${given.kind}`);
      if (given.kind === 'go') leaves.push(given.leave);
    });
    return turn;
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const leaveAll = async () => {
    for (let leave = leaves.shift(); leave !== undefined; leave = leaves.shift()) {
      leave();
      leave();
      await settle();
    }
  };

  beforeEach(() => {
    [order, leaves] = [[], []];
    queue = fairQueue({ concurrency: 1, waiting: 4, clock: () => 0, random: () => 0.5 });
  });

  it('serves sources in turn', async () => {
    for (const name of ['a1', 'a2', 'a3']) void enter('a', name);
    void enter('b', 'b1');
    await settle();
    assert.deepEqual(order, ['a1']);
    await leaveAll();
    assert.deepEqual(order, ['a1', 'a2', 'b1', 'a3']);
  });

  it('is bounded, says when to come back, and the longest line gives way', async () => {
    for (let index = 1; index <= 5; index++) void enter('a', `a${index}`);
    const full = await enter('a', 'a6');
    assert.ok(full.kind === 'full' && full.retryAfterMs >= 250 && full.retryAfterMs <= 60_000);
    void enter('b', 'b1');
    await settle();
    assert.deepEqual(order, ['a1', 'a6 full', 'a5 full']);
    await leaveAll();
    assert.deepEqual(order.slice(3), ['a2', 'b1', 'a3', 'a4']);
  });

  it('forgets who gave up', async () => {
    const gone = new AbortController();
    void enter('a', 'a1');
    void enter('a', 'a2', upTo(gone.signal));
    void enter('a', 'a3');
    gone.abort();
    await settle();
    await leaveAll();
    assert.deepEqual(order, ['a1', 'a2 cancelled', 'a3']);
    assert.equal((await enter('a', 'late', upTo(gone.signal))).kind, 'cancelled');
  });

  it('works on as many at once as allowed, and frees every place', async () => {
    queue = fairQueue({ concurrency: 3, waiting: 100, clock: () => 0, random: () => 0 });
    for (let index = 0; index < 50; index++) void enter(`s${index % 7}`, String(index));
    await settle();
    assert.equal(order.length, 3);
    await leaveAll();
    assert.equal(new Set(order).size, 50);
    void enter('x', 'x');
    await settle();
    assert.equal(order.at(-1), 'x');
  });
});
