// Clocks that jump, machines that sleep, authorities that are away: hours in milliseconds.
import assert from 'node:assert/strict';
import { watchClock } from '../../sds/clock-jump.ts';
import { eventually } from '../eventually.ts';
import { KeeperWorld, StillTime } from './world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SEED = 20261121;

/** A small generator of numbers, the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe(`sds: clocks and outages (seed ${SEED})`, () => {
  let world: KeeperWorld;
  beforeEach(async () => {
    world = await KeeperWorld.make(0.3);
    world.keeper.start();
    await world.settled(1);
  });
  afterEach(() => world.keeper.stop());

  const away = { kind: 'failed', code: 'UNAVAILABLE', reason: 'away' } as const;

  /** Lets the keeper sleep as it likes until `done`. */
  async function until(what: string, done: () => boolean): Promise<void> {
    await eventually(what, () => {
      if (done()) return true;
      world.time.pass(world.time.next() ?? 0);
      return undefined;
    });
  }

  it('is told of a jump of the wall clock within two seconds, not of time that passes', () => {
    const time = new StillTime();
    const jumps: number[] = [];
    const end = watchClock(time, time, (by) => jumps.push(by));
    for (let index = 0; index < 100; index++) time.pass(2000);
    assert.deepEqual(jumps, []);
    time.jump(HOUR);
    time.pass(2000);
    time.jump(-DAY);
    time.pass(2000);
    time.jump(500); // NTP does that
    time.pass(2000);
    assert.deepEqual(jumps, [HOUR, -DAY]);
    end();
    assert.equal(time.next(), undefined);
  });

  it('renews at once after a sleep past the renewal', async () => {
    world.time.jump(HOUR * 0.9);
    world.keeper.clockJumped();
    await world.settled(2);
    assert.deepEqual(world.kinds(), ['issued', 'issued']);
    assert.equal(world.calls.at(-1)?.token, undefined, 'by the certificate, which is still good');
  });

  it('says that the certificate ended in a sleep, and gets another by the token at once', async () => {
    world.time.jump(20 * HOUR);
    world.lifetimeMs = HOUR;
    world.keeper.clockJumped();
    await world.settled(3);
    assert.deepEqual(world.kinds(), ['issued', 'expired', 'issued']);
    assert.equal(world.calls.at(-1)?.token, 'a.b.c');
    assert.equal(world.calls.at(-1)?.client, undefined);
  });

  it('keeps what it has when its clock goes a day back, and is well when the clock is', async () => {
    const old = world.keeper.current();
    // The authority's clock stays right: what it issues begins a day from now.
    const { time } = world;
    const right = time.now().getTime();
    time.jump(-DAY);
    world.aheadMs = right - time.now().getTime();
    world.keeper.clockJumped();
    await until('refusals', () => world.kinds().filter((kind) => kind === 'failed').length >= 3);
    const failure = world.keeper.status().lastFailure;
    assert.match(failure?.reason ?? '', /not valid before/);
    assert.equal(world.keeper.current(), old);
    time.jump(DAY);
    world.aheadMs = 0;
    world.keeper.clockJumped();
    await until('a new certificate', () => world.keeper.current() !== old);
    assert.equal(world.keeper.status().failuresInARow, 0);
  });

  it('keeps what it has when its clock goes a year ahead, and is well when the clock is', async () => {
    const old = world.keeper.current();
    world.time.jump(365 * DAY);
    world.aheadMs = -365 * DAY;
    world.keeper.clockJumped();
    await until('refusals', () => world.kinds().filter((kind) => kind === 'failed').length >= 3);
    assert.match(world.keeper.status().lastFailure?.reason ?? '', /has expired/);
    assert.equal(world.keeper.current(), old, 'peers whose clocks are right still take it');
    world.time.jump(-365 * DAY);
    world.aheadMs = 0;
    world.keeper.clockJumped();
    await until('a new certificate', () => world.keeper.current() !== old);
  });

  it('survives an outage of any length below the lifetime without ever being without a valid certificate', async () => {
    const draw = numbers(SEED);
    for (let round = 0; round < 5; round++) {
      const before = world.events.length;
      const begin = world.time.monotonic();
      const left = () => (world.keeper.current()?.notAfter ?? 0) - world.time.now().getTime();
      // What is left when the outage begins, less the slowest retry.
      const length = (left() - 16_000) * draw();
      world.failure = away;
      await until('the outage passes', () => world.time.monotonic() - begin >= length);
      world.failure = undefined;
      const old = world.keeper.current();
      await until('a renewal', () => world.keeper.current() !== old);
      const kinds = world.kinds().slice(before);
      assert.ok(!kinds.includes('expired'), `round ${round}: ${length} ms: ${kinds.join(' ')}`);
      const asked = kinds.filter((kind) => kind === 'failed').length;
      assert.ok(asked <= 20 + length / 7000, `round ${round}: ${asked} attempts in ${length} ms`);
    }
  });

  it('asks as soon as the authority is back, and begins its back-off anew', async () => {
    world.failure = away;
    const first = world.keeper.current();
    await until('a long back-off', () => world.keeper.status().failuresInARow >= 10);
    assert.ok((world.time.next() ?? 0) > 5000);
    assert.equal(world.waiting.size, 1);
    world.failure = { kind: 'failed', code: 'UNAVAILABLE', reason: 'still starting' };
    const count = world.events.length;
    world.returned();
    await world.settled(count + 1);
    assert.ok((world.time.next() ?? Infinity) <= 200, 'it is asked again soon');
    world.failure = undefined;
    world.returned();
    await world.settled(count + 2);
    assert.notEqual(world.keeper.current(), first);
    assert.equal(world.waiting.size, 0);
  });

  it('does not wait for a return where the authority answered', async () => {
    world.failure = { kind: 'failed', code: 'PERMISSION_DENIED', reason: 'no' };
    await until('a refusal', () => world.kinds().includes('failed'));
    assert.equal(world.waiting.size, 0);
    world.failure = { kind: 'failed', code: 'UNAVAILABLE', reason: 'busy', hint: 60_000 };
    await until('a hint', () => world.keeper.status().lastFailure?.code === 'UNAVAILABLE');
    assert.equal(world.waiting.size, 0, 'a server that asks for patience is obeyed');
  });

  it('says how long it waited for an answer', async () => {
    world.hang = true;
    await until('a renewal is due', () => world.calls.length > 1);
    await until('it gives up', () => world.kinds().includes('failed'));
    const last = world.keeper.status().lastFailure;
    assert.deepEqual([last?.code, last?.reason], ['DEADLINE_EXCEEDED', 'the authority did not answer within 10 s']);
    world.hang = false;
    await until('an answer', () => world.keeper.status().failuresInARow === 0);
  });
});
