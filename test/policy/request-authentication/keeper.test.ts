import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { Parsed } from '../../../ca/identity/parsed.ts';
import type { RemoteKeys } from '../../../mesh/model/request-authentication.ts';
import { type KeptKeys, type KeyKeeper, STALE_MS, keyKeeper } from '../../../policy/jwks/keeper.ts';
import { locationOf } from '../../../policy/jwks/known.ts';
import { eventually } from '../../eventually.ts';

const URI: RemoteKeys = { kind: 'uri', uri: 'https://keys.test/jwks?secret=1', timeoutMs: 5000 };
const ISSUER: RemoteKeys = { kind: 'discovery', issuer: 'https://issuer.test/', timeoutMs: 5000 };
const SET = (kid: string): string => JSON.stringify({ keys: [{ kty: 'RSA', kid, n: 'abc', e: 'AQAB' }] });

/** A keeper whose clock and timers are moved by hand. */
class World {
  readonly answers = new Map<string, Parsed<string>>();
  readonly asked: string[] = [];
  readonly logged: string[] = [];
  readonly saved = new Map<string, KeptKeys>();
  now = Date.parse('2026-01-01T00:00:00Z');
  changes = 0;
  #timers: { at: number; task: () => void }[] = [];
  readonly keeper: KeyKeeper;

  constructor(stored: ReadonlyMap<string, KeptKeys> = new Map()) {
    this.keeper = keyKeeper({
      get: (url) => {
        this.asked.push(url.href);
        return Promise.resolve(this.answers.get(url.href) ?? { ok: false, reason: 'nobody there' });
      },
      store: {
        load: () => stored,
        save: (keys) => {
          this.saved.clear();
          for (const [key, kept] of keys) this.saved.set(key, kept);
        },
      },
      clock: () => new Date(this.now),
      after: (ms, task) => {
        const timer = { at: this.now + ms, task };
        this.#timers.push(timer);
        return () => (this.#timers = this.#timers.filter((one) => one !== timer));
      },
      random: () => 0,
      log: pino({ level: 'info' }, { write: (line: string) => void this.logged.push(line) }),
      refreshMs: 300_000,
      onChange: () => (this.changes += 1),
    });
  }

  /** Lets this much time pass, timer by timer, until nothing more is due. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = this.#timers.toSorted((one, other) => one.at - other.at);
      if (next === undefined || next.at > end) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.now = next.at;
      next.task();
    }
    this.now = end;
  }

  keysOf(source: RemoteKeys): string | undefined {
    return this.keeper.known().get(locationOf(source));
  }
}

describe('keys of token issuers', () => {
  it('are fetched once wanted, and again in time; a change is told once', async () => {
    const world = new World();
    world.answers.set(URI.kind === 'uri' ? URI.uri : '', { ok: true, value: SET('1') });
    world.keeper.follow([URI, URI]);
    await world.keeper.asked();
    assert.match(world.keysOf(URI) ?? '', /"kid":"1"/);
    assert.equal(world.asked.length, 1);
    assert.equal(world.changes, 1);
    const known = world.keeper.known();
    await world.pass(600_000);
    assert.equal(world.asked.length, 3);
    assert.equal(world.changes, 1);
    assert.equal(world.keeper.known(), known, 'the same keys are the same map');
    world.answers.set('https://keys.test/jwks?secret=1', { ok: true, value: SET('2') });
    await world.pass(300_000);
    assert.match(world.keysOf(URI) ?? '', /"kid":"2"/);
    assert.equal(world.changes, 2);
    world.keeper.close();
  });

  it('are found by the OpenID configuration where no jwksUri is given', async () => {
    const world = new World();
    world.answers.set('https://issuer.test/.well-known/openid-configuration', {
      ok: true,
      value: JSON.stringify({ issuer: 'https://issuer.test/', jwks_uri: 'https://keys.test/found' }),
    });
    world.answers.set('https://keys.test/found', { ok: true, value: SET('1') });
    world.keeper.follow([ISSUER]);
    await world.keeper.asked();
    assert.match(world.keysOf(ISSUER) ?? '', /"kid":"1"/);
    world.keeper.close();
  });

  for (const [what, document] of [
    ['no JSON', 'no'],
    ['no jwks_uri', '{}'],
    ['an address without encryption', '{"jwks_uri":"http://keys.test/found"}'],
    ['a file', '{"jwks_uri":"file:///etc/passwd"}'],
  ] as const) {
    it(`are not taken from an OpenID configuration with ${what}`, async () => {
      const world = new World();
      world.answers.set('https://issuer.test/.well-known/openid-configuration', { ok: true, value: document });
      world.answers.set('http://keys.test/found', { ok: true, value: SET('1') });
      world.keeper.follow([ISSUER]);
      await world.keeper.asked();
      assert.equal(world.keysOf(ISSUER), undefined);
      assert.equal(world.asked.length, 1);
      world.keeper.close();
    });
  }

  it('are asked for ever less often while the issuer is away, and at once used when it is back', async () => {
    const world = new World();
    world.keeper.follow([URI]);
    await world.keeper.asked();
    assert.equal(world.keysOf(URI), undefined);
    assert.equal(world.keeper.status()[0]?.problem, 'nobody there');
    await world.pass(10_000);
    const soon = world.asked.length;
    assert.ok(soon >= 4 && soon <= 6, `${soon} attempts in ten seconds`);
    await world.pass(600_000);
    assert.ok(world.asked.length - soon < 30, `${world.asked.length - soon} attempts in ten minutes`);
    assert.equal(world.logged.length, 1, 'one problem is logged once');
    world.answers.set('https://keys.test/jwks?secret=1', { ok: true, value: SET('1') });
    await world.pass(60_000);
    assert.match(world.keysOf(URI) ?? '', /"kid":"1"/);
    assert.equal(world.keeper.status()[0]?.failures, 0);
    assert.ok(!world.logged.join('').includes('secret'), 'a query does not get into the log');
    world.keeper.close();
  });

  it('stay in use for a week while the issuer is away, then its tokens are refused', async () => {
    const world = new World();
    world.answers.set('https://keys.test/jwks?secret=1', { ok: true, value: SET('1') });
    world.keeper.follow([URI]);
    await world.keeper.asked();
    world.answers.set('https://keys.test/jwks?secret=1', { ok: true, value: '<html>' });
    await world.pass(STALE_MS - 600_000);
    assert.notEqual(world.keysOf(URI), undefined);
    await world.pass(1_200_000);
    assert.equal(world.keysOf(URI), undefined);
    assert.equal(world.changes, 2);
    world.keeper.close();
  });

  it('are taken from the store at a start, until their week is over', async () => {
    const first = new World();
    first.answers.set('https://keys.test/jwks?secret=1', { ok: true, value: SET('1') });
    first.keeper.follow([URI]);
    await first.keeper.asked();
    first.keeper.close();
    const second = new World(first.saved);
    second.keeper.follow([URI]);
    assert.match(second.keysOf(URI) ?? '', /"kid":"1"/);
    second.keeper.close();
    const late = new World(first.saved);
    late.now += STALE_MS;
    late.keeper.follow([URI]);
    assert.equal(late.keysOf(URI), undefined);
    late.keeper.close();
  });

  it('are forgotten some time after nobody wants them', async () => {
    const world = new World();
    world.answers.set('https://keys.test/jwks?secret=1', { ok: true, value: SET('1') });
    world.keeper.follow([URI]);
    await world.keeper.asked();
    world.keeper.follow([]);
    assert.equal(world.keysOf(URI), undefined);
    world.keeper.follow([URI]);
    assert.match(world.keysOf(URI) ?? '', /"kid":"1"/, 'wanted again at once: nothing is lost');
    assert.equal(world.asked.length, 1);
    world.keeper.follow([]);
    await world.pass(600_000);
    assert.equal(world.asked.length, 1);
    assert.equal(world.saved.size, 0);
    world.keeper.close();
  });

  it('stay known when a rule gives its address another time, and are asked for once before they are given up', async () => {
    const world = new World();
    world.answers.set('https://keys.test/jwks?secret=1', { ok: true, value: SET('1') });
    world.keeper.follow([URI]);
    assert.equal(world.keeper.pending(), true);
    await world.keeper.asked();
    assert.equal(world.keeper.pending(), false);
    const patient: RemoteKeys = { ...URI, timeoutMs: 9_000 };
    world.keeper.follow([patient]);
    assert.equal(world.keeper.pending(), false);
    assert.match(world.keysOf(patient) ?? '', /"kid":"1"/);
    world.keeper.follow([patient, ISSUER]);
    assert.equal(world.keeper.pending(), true);
    await world.keeper.asked();
    assert.equal(world.keeper.pending(), false, 'asked, without success');
    world.keeper.close();
  });

  it('are fetched for eight sources at a time', async () => {
    let running = 0;
    let most = 0;
    const keeper = keyKeeper({
      get: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return { ok: true, value: SET('1') };
      },
      store: { load: () => new Map(), save: () => undefined },
      clock: () => new Date(),
      after: () => () => undefined,
      random: () => 0,
      log: pino({ level: 'silent' }),
      refreshMs: 300_000,
      onChange: () => undefined,
    });
    keeper.follow(
      Array.from({ length: 50 }, (_, index) => ({ kind: 'uri', uri: `https://keys.test/${index}`, timeoutMs: 1000 })),
    );
    await eventually('all are there', () => (keeper.known().size === 50 ? true : undefined));
    assert.equal(most, 8);
    keeper.close();
  });
});
