import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Seal } from '../../../audit/page/server/auth/sealed.ts';
import {
  inUse,
  nextSessionKeys,
  parseKeyLines,
  parseSessionKeys,
  type SessionKey,
  sessionKeysText,
} from '../../../audit/page/server/auth/session-keys.ts';
import { sessionKeysIn, sharedSessionKeys, type SharedText } from '../../../cli/serve/page-session-keys.ts';
import { eventually } from '../../eventually.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const log = pino({ enabled: false });
const base64 = (key: Uint8Array): string => Buffer.from(key).toString('base64');

/** What a Secret does: a write counts only over what its writer read. */
function shared(): { readonly replica: () => SharedText; text: string | undefined } {
  let version = 0;
  const listeners = new Set<() => void>();
  const state = {
    text: undefined as string | undefined,
    replica(): SharedText {
      let read = -1;
      return {
        name: 'the test',
        read() {
          read = version;
          return Promise.resolve(state.text);
        },
        write(text) {
          if (read !== version) return Promise.resolve(false);
          state.text = text;
          read = ++version;
          for (const told of listeners) told();
          return Promise.resolve(true);
        },
        follow(changed) {
          listeners.add(changed);
          return () => listeners.delete(changed);
        },
      };
    },
  };
  return state;
}

describe("audit: keys of the page's sessions", () => {
  it('are made once by replicas that start together, and a session of one holds at the others', async () => {
    const secret = shared();
    const clock = (): Date => new Date();
    const all = await Promise.all([1, 2, 3].map(() => sharedSessionKeys(secret.replica(), clock, log)));
    const [first, ...others] = all.map((keys) => new Seal(() => keys.current(), clock));
    const sealed = (await first?.seal('session', { name: 'maria' }, 60)) ?? '';
    for (const other of others) assert.equal((await other.open('session', sealed))?.get('name'), 'maria');
    assert.equal(await others[0]?.open('sign-in', sealed), undefined, 'for another use');
    assert.equal(await new Seal(() => [randomBytes(32)], clock).open('session', sealed), undefined, 'with another key');
    await assert.rejects(new Seal(() => [], clock).seal('session', {}, 60), /no key/);
    for (const keys of all) keys.close();
  });

  it('are renewed each week, without a session lost: a new key seals once all have it, the old one opens as long as sessions last', async () => {
    let now = Date.parse('2026-05-04T00:00:00Z');
    const clock = (): Date => new Date(now);
    const secret = shared();
    const a = await sharedSessionKeys(secret.replica(), clock, log);
    const seal = new Seal(() => a.current(), clock);
    const [old] = a.current();
    now += 7 * DAY;
    const before = await seal.seal('session', { name: 'x' }, 8 * 3600);
    // Whoever looks next renews; the others are told.
    const b = await sharedSessionKeys(secret.replica(), clock, log);
    await eventually('both keys', () => Promise.resolve(a.current().length === 2 || undefined));
    assert.deepEqual([a.current()[0], b.current()[0]], [old, old], 'not all have the new one yet');
    now += 6 * 60_000;
    assert.notDeepEqual(a.current()[0], old);
    assert.equal((await seal.open('session', before))?.get('name'), 'x');
    now += 7.5 * HOUR;
    assert.equal((await seal.open('session', before))?.get('name'), 'x');
    a.close();
    b.close();
  });

  it('are dropped when nothing that they sealed can count any more, in any order of steps', () => {
    let keys: readonly SessionKey[] = [];
    const used = new Map<string, number>();
    for (let now = 0; now < 60 * DAY; now += 17 * 60_000) {
      keys = nextSessionKeys(keys, now, () => randomBytes(32)) ?? keys;
      assert.equal(
        nextSessionKeys(keys, now, () => randomBytes(32)),
        undefined,
        'done once',
      );
      assert.ok(keys.length <= 2);
      const [sealing, ...others] = inUse(keys, now);
      assert.ok(sealing !== undefined);
      used.set(base64(sealing), now);
      const opening = new Set([sealing, ...others].map(base64));
      for (const [key, at] of used) if (now - at <= 8 * HOUR) assert.ok(opening.has(key), `${key} sealed ${now - at} ms ago`);
    }
    assert.ok(used.size >= 8);
    const text = sessionKeysText(keys);
    const again = parseSessionKeys(text);
    assert.deepEqual(
      again.ok && again.value.map(({ key }) => base64(key)),
      keys.map(({ key }) => base64(key)),
    );
  });

  it('of a Secret that somebody deletes are made anew, which ends all sessions', async () => {
    const secret = shared();
    const clock = (): Date => new Date();
    const told: (() => void)[] = [];
    const replica = secret.replica();
    const keys = await sharedSessionKeys(
      {
        ...replica,
        follow(changed) {
          told.push(changed);
          return () => {};
        },
      },
      clock,
      log,
    );
    const seal = new Seal(() => keys.current(), clock);
    const sealed = await seal.seal('session', {}, 60);
    secret.text = undefined;
    for (const changed of told) changed();
    await eventually('another key', () => Promise.resolve(secret.text));
    await eventually('the session is over', async () => ((await seal.open('session', sealed)) === undefined ? true : undefined));
    keys.close();
  });

  it('are read from a file, again when it changes; what cannot be read opens nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-session-key-'));
    try {
      const file = join(folder, 'key');
      const write = (text: string): void => {
        writeFileSync(`${file}.new`, text);
        renameSync(`${file}.new`, file);
      };
      let now = Date.now();
      const clock = (): Date => new Date(now);
      const complaints: unknown[] = [];
      const [one, two] = [randomBytes(32), randomBytes(32)];
      assert.throws(() => sessionKeysIn(file, clock, () => {}), /ENOENT/);
      write('secret-that-is-too-short\n');
      assert.throws(
        () => sessionKeysIn(file, clock, () => {}),
        ({ message }: Error) => /key 1 is not 32 bytes/.test(message) && !message.includes('too-short'),
      );
      write(`# of all replicas\n${base64(one)}\n`);
      const keys = sessionKeysIn(file, clock, (error) => complaints.push(error));
      const seal = new Seal(() => keys.current(), clock);
      const sealed = await seal.seal('session', { name: 'x' }, 8 * 3600);
      write(`${base64(two)}\n${base64(one)}\n`);
      now += 2_500;
      assert.deepEqual(keys.current().map(base64), [base64(two), base64(one)]);
      assert.equal((await seal.open('session', sealed))?.get('name'), 'x');
      write('');
      now += 2_500;
      assert.equal(await seal.open('session', sealed), undefined);
      assert.equal(complaints.length, 1);
      write(`${base64(two)}\n`);
      now += 2_500;
      assert.equal(await seal.open('session', sealed), undefined, 'its key was taken out');
      assert.equal(keys.current().length, 1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are refused where they are not exactly keys', () => {
    for (const text of ['', '\n', base64(randomBytes(31)), base64(randomBytes(33)), `${base64(randomBytes(32))} x`])
      assert.equal(parseKeyLines(text).ok, false, text);
    for (const text of ['', '{}', '[]', '{"keys":[]}', '{"keys":[{}]}', `{"keys":[{"key":"${base64(randomBytes(32))}"}]}`])
      assert.equal(parseSessionKeys(text).ok, false, text);
  });
});
