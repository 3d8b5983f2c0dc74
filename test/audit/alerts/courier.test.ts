import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { Courier, type CourierOptions } from '../../../audit/alerts/courier.ts';

/** A courier to a receiver that answers as told, with time that the test moves. */
function courier(answers: (tries: number) => 'take' | 'fail', more: Partial<CourierOptions> = {}) {
  let now = 0;
  let task: { readonly at: number; readonly run: () => void } | undefined;
  const waits: number[] = [];
  const sent: string[] = [];
  const done: string[] = [];
  const made = new Courier({
    name: 'test',
    send: ({ id }) => {
      sent.push(id);
      return answers(sent.length) === 'take' ? Promise.resolve() : Promise.reject(new Error('no'));
    },
    done: ({ id }) => void done.push(id),
    clock: () => new Date(now),
    after: (ms, run) => {
      assert.equal(task, undefined, 'two timers');
      waits.push(ms);
      task = { at: now + ms, run };
      return () => (task = undefined);
    },
    random: () => 1,
    log: pino({ level: 'silent' }),
    ...more,
  });
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await setImmediate();
  };
  return {
    courier: made,
    sent,
    done,
    waits,
    take: async (id: string) => {
      const taken = made.take({ id, body: '{}', at: now });
      await settle();
      return taken;
    },
    /** Lets the next timer go off. */
    next: async () => {
      assert.ok(task, 'no timer');
      const { at, run } = task;
      task = undefined;
      now = at;
      run();
      await settle();
    },
  };
}

describe('a courier', () => {
  it('waits longer and longer, at most five minutes, and from the beginning after a success', async () => {
    const { take, next, waits, sent } = courier((tries) => (tries === 12 ? 'take' : 'fail'));
    await take('a');
    for (let again = 0; again < 10; again++) await next();
    assert.deepEqual(
      waits,
      [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((seconds) => seconds * 1000),
    );
    await next();
    assert.equal(sent.length, 12);
    await take('b');
    assert.equal(waits.at(-1), 1000);
  });
  it('is not hurried by further messages', async () => {
    const { take, next, sent } = courier((tries) => (tries > 1 ? 'take' : 'fail'));
    await take('a');
    await take('b');
    assert.deepEqual(sent, ['a']);
    await next();
    assert.deepEqual(sent, ['a', 'a', 'b']);
  });
  it('gives up what is too old, and goes on with the next', async () => {
    const { courier: made, take, next, done } = courier(() => 'fail', { giveUpMs: 10_000 });
    await take('a');
    for (let again = 0; again < 4; again++) await next();
    assert.deepEqual(done, ['a']);
    assert.deepEqual(made.stats, { waiting: 0, delivered: 0, failedTries: 5, dropped: 1 });
  });
  it('holds so many and drops the rest', async () => {
    const { courier: made, take, done } = courier(() => 'fail', { most: 2 });
    assert.deepEqual([await take('a'), await take('b'), await take('c')], [true, true, false]);
    assert.deepEqual(done, ['c']);
    assert.equal(made.stats.dropped, 1);
  });
  it('stops when it is closed', async () => {
    const { courier: made, take, sent } = courier(() => 'fail');
    await take('a');
    made.close();
    await take('b');
    assert.deepEqual(sent, ['a']);
  });
});
