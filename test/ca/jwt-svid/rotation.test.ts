import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type JwtKey, newJwtKey } from '../../../ca/jwt-svid/key.ts';
import { nextRotation, rotate, signingKey } from '../../../ca/jwt-svid/rotation.ts';

const RULES = { periodMs: 1000, leadMs: 100, keepMs: 50 };
const SEED = 20261121;
/** Keys that differ in nothing but their times: what rotation looks at. */
const template = newJwtKey(0);
const make = (activeFrom: number): JwtKey => ({ ...template, kid: `k${activeFrom}`, activeFrom });
const kids = (keys: readonly JwtKey[]) => keys.map(({ kid }) => kid);

describe('ca/jwt-svid: rotation of keys', () => {
  it('publishes the next key before it signs, and the last one until its tokens have ended', () => {
    let keys = rotate([], 0, RULES, make);
    assert.deepEqual(kids(keys), ['k0']);
    assert.equal(rotate(keys, 899, RULES, make), keys);
    keys = rotate(keys, 900, RULES, make);
    assert.deepEqual(kids(keys), ['k0', 'k1000']);
    assert.equal(signingKey(keys, 999)?.kid, 'k0');
    assert.equal(signingKey(keys, 1000)?.kid, 'k1000');
    assert.deepEqual(kids(rotate(keys, 1049, RULES, make)), ['k0', 'k1000']);
    assert.deepEqual(kids(rotate(keys, 1050, RULES, make)), ['k1000']);
  });

  it('after a long sleep, goes on with the old key until the new one has been published for its lead', () => {
    const keys = rotate(rotate([], 0, RULES, make), 50_000, RULES, make);
    assert.deepEqual(kids(keys), ['k0', 'k50100']);
    assert.equal(signingKey(keys, 50_099)?.kid, 'k0');
  });

  it('never has more than it needs, never signs with a key that was not published for its lead', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 }), (steps) => {
        let keys: readonly JwtKey[] = [];
        const published = new Map<string, number>();
        let now = 0;
        for (const step of [0, ...steps]) {
          now += step;
          keys = rotate(keys, now, RULES, make);
          for (const { kid } of keys) if (!published.has(kid)) published.set(kid, now);
          const signing = signingKey(keys, now);
          assert.ok(signing !== undefined && keys.length <= 3);
          assert.ok(signing.kid === 'k0' || now - (published.get(signing.kid) ?? now) >= RULES.leadMs);
          assert.ok(nextRotation(keys, RULES) > now - RULES.leadMs);
        }
      }),
      { seed: SEED },
    );
  });
});
