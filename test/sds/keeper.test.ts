import assert from 'node:assert/strict';
import { selfSignedRoot } from './authority.ts';
import { eventually } from '../eventually.ts';
import { bundleOf, KeeperWorld } from './world.ts';

const HOUR = 3_600_000;

function jwt(exp: number): string {
  return ['{}', JSON.stringify({ exp }), 'x'].map((part) => Buffer.from(part).toString('base64url')).join('.');
}

describe('sds: keeping one identity', () => {
  let world: KeeperWorld;
  beforeEach(async () => {
    world = await KeeperWorld.make();
  });
  afterEach(() => world.keeper.stop());

  /** Sleeps as the keeper does, until something happens. */
  async function sleepUntil(events: number): Promise<void> {
    await eventually(`${events} events`, () => {
      if (world.events.length >= events) return true;
      world.time.pass(world.time.next() ?? 0);
      return undefined;
    });
    await world.settled(events);
  }

  it('asks with the token first, then with the certificate alone, with a new key each time', async () => {
    world.keeper.start();
    await world.settled(1);
    await sleepUntil(3);
    assert.deepEqual(world.kinds(), ['issued', 'issued', 'issued']);
    const [first, second, third] = world.calls;
    assert.equal(first?.token, 'a.b.c');
    assert.equal(first?.client, undefined);
    assert.equal(second?.token, undefined);
    assert.notEqual(second?.client, undefined);
    assert.notEqual(second?.client?.key, third?.client?.key);
    assert.ok(world.time.monotonic() >= HOUR * 0.99);
  });

  it('keeps the old certificate until the new one is there', async () => {
    world.keeper.start();
    await world.settled(1);
    const old = world.keeper.current();
    world.failure = { kind: 'failed', code: 'UNAVAILABLE', reason: 'away' };
    await sleepUntil(5);
    assert.deepEqual(world.kinds(), ['issued', 'failed', 'failed', 'failed', 'failed']);
    assert.equal(world.keeper.current(), old);
    world.failure = undefined;
    await sleepUntil(6);
    const last = world.events.at(-1);
    assert.ok(last?.kind === 'issued' && last.previous === old && world.keeper.current() === last.svid);
  });

  it('goes by the token alone on every other try after a refusal', async () => {
    world.keeper.start();
    await world.settled(1);
    world.failure = { kind: 'failed', code: 'UNAUTHENTICATED', reason: 'revoked' };
    await sleepUntil(5);
    assert.deepEqual(
      world.calls.map(({ client, token }) => (client === undefined ? token : 'certificate')),
      ['a.b.c', 'certificate', 'a.b.c', 'certificate', 'a.b.c'],
    );
  });

  it('asks at once, by the token, when its certificate was revoked; once for each certificate', async () => {
    world.keeper.start();
    await world.settled(1);
    world.keeper.revoked();
    await world.settled(2);
    assert.deepEqual([world.time.monotonic(), world.kinds()], [0, ['issued', 'issued']]);
    assert.deepEqual([world.calls[1]?.client, world.calls[1]?.token], [undefined, 'a.b.c']);
    world.failure = { kind: 'failed', code: 'PERMISSION_DENIED', reason: 'the identity was revoked' };
    world.keeper.revoked();
    await sleepUntil(4);
    world.keeper.revoked();
    await sleepUntil(6);
    assert.ok(world.calls.slice(2).every(({ client, token }) => client === undefined && token === 'a.b.c'));
  });

  it('goes by the certificate alone while there is no token', async () => {
    world.keeper.start();
    await world.settled(1);
    world.token = { ok: false, reason: 'gone' };
    world.failure = { kind: 'failed', code: 'UNAVAILABLE', reason: 'away' };
    await sleepUntil(4);
    assert.ok(world.calls.slice(1).every(({ client, token }) => client !== undefined && token === undefined));
  });

  it('says when a certificate has ended, once, and goes back to the token', async () => {
    world.keeper.start();
    await world.settled(1);
    world.failure = { kind: 'failed', code: 'UNAVAILABLE', reason: 'away' };
    await eventually('it ends', () => {
      world.time.pass(world.time.next() ?? 0);
      return world.kinds().includes('expired') ? true : undefined;
    });
    const count = world.calls.length;
    await sleepUntil(world.events.length + 3);
    assert.equal(world.kinds().filter((kind) => kind === 'expired').length, 1);
    assert.ok(world.calls.slice(count).every(({ client, token }) => client === undefined && token === 'a.b.c'));
    assert.notEqual(world.keeper.current(), undefined);
  });

  it('says what to do about a token that has expired', async () => {
    world.token = { ok: true, value: jwt(1_700_000_000) };
    world.failure = { kind: 'failed', code: 'UNAUTHENTICATED', reason: 'the token has expired' };
    world.keeper.start();
    await world.settled(1);
    const [event] = world.events;
    assert.ok(event?.kind === 'failed');
    assert.equal(
      event.reason,
      'the token has expired (the token in the token file expired at 2023-11-14T22:13:20.000Z: renew that file)',
    );
  });

  it('does not blame a token that is good, or no JWT', async () => {
    for (const value of [jwt(9_999_999_999), 'opaque', 'a.e30.c', 'a.bnVsbA.c']) {
      const other = await KeeperWorld.make();
      other.token = { ok: true, value };
      other.failure = { kind: 'failed', code: 'UNAUTHENTICATED', reason: 'no' };
      other.keeper.start();
      await other.settled(1);
      assert.equal(other.events[0]?.kind === 'failed' ? other.events[0].reason : '', 'no');
      await other.keeper.stop();
    }
  });

  it('waits for a token and for roots, a second at most', async () => {
    world.token = { ok: false, reason: 'ENOENT' };
    world.keeper.start();
    await world.settled(1);
    assert.equal(world.calls.length, 0);
    await sleepUntil(8);
    assert.ok((world.time.next() ?? Infinity) <= 1000);
    world.token = { ok: true, value: 'a.b.c' };
    world.bundle = undefined;
    await sleepUntil(9);
    const last = world.events.at(-1);
    assert.equal(last?.kind === 'failed' ? last.code : '', 'NO_ROOTS');
    world.bundle = bundleOf(world.root);
    await sleepUntil(10);
    assert.equal(world.kinds().at(-1), 'issued');
  });

  it('asks at once when the roots change away from its certificate, and not when they only grow', async () => {
    world.keeper.start();
    await world.settled(1);
    const next = await selfSignedRoot();
    world.bundle = bundleOf(world.root, next);
    world.keeper.bundleChanged();
    await world.settled(1);
    assert.equal(world.calls.length, 1);
    world.root = next;
    world.bundle = bundleOf(next);
    world.keeper.bundleChanged();
    await world.settled(2);
    assert.deepEqual(world.kinds(), ['issued', 'issued']);
  });

  it('refuses what does not lead to the roots, and goes on asking', async () => {
    const [right, wrong] = [world.root, await selfSignedRoot()];
    world.root = wrong;
    world.keeper.start();
    await world.settled(1);
    assert.match(
      world.events[0]?.kind === 'failed' ? world.events[0].reason : '',
      /answer was refused: .*does not lead to a root/,
    );
    assert.equal(world.keeper.current(), undefined);
    world.root = right;
    await sleepUntil(2);
    assert.equal(world.kinds().at(-1), 'issued');
  });

  it('renews at once when the wall clock jumps past the plan, within a minute', async () => {
    world.keeper.start();
    await world.settled(1);
    world.time.jump(HOUR * 0.8);
    world.lifetimeMs = HOUR;
    assert.ok((world.time.next() ?? Infinity) <= 60_000);
    world.time.pass(60_000);
    await world.settled(2);
    assert.deepEqual(world.kinds(), ['issued', 'issued']);
  });

  it('renews in time although the wall clock went back', async () => {
    world.keeper.start();
    await world.settled(1);
    world.time.jump(-30_000);
    const begin = world.time.monotonic();
    await sleepUntil(2);
    assert.ok(world.time.monotonic() - begin <= HOUR * 0.7 + 60_000);
  });

  it('waits as long as the authority asks, and a bit longer', async () => {
    world.failure = { kind: 'failed', code: 'RESOURCE_EXHAUSTED', reason: 'busy', hint: 20_000 };
    world.keeper.start();
    await world.settled(1);
    const next = world.time.next() ?? 0;
    assert.ok(next >= 20_000 && next <= 24_000, String(next));
  });
});
