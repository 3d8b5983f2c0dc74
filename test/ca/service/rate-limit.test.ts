import { strict as assert } from 'node:assert';
import { rateLimit } from '../../../ca/service/rate-limit.ts';

describe('ca/service: rate limits', () => {
  it('let a burst pass, then so many a second, for each caller', () => {
    let now = 0;
    const take = rateLimit({ perSecond: 10, burst: 5, clock: () => now });
    const passed = (caller: string, tries: number) =>
      Array.from({ length: tries }, () => take(caller)).filter((wait) => wait === 0).length;
    assert.equal(passed('a', 100), 5);
    assert.equal(passed('b', 100), 5);
    assert.equal(take('a'), 100);
    now += 100;
    assert.equal(passed('a', 100), 1);
    now += 60_000;
    assert.equal(passed('a', 100), 5);
    now -= 60_000;
    assert.equal(passed('a', 100), 0);
  });

  it('say when to come back, truly', () => {
    let now = 0;
    const take = rateLimit({ perSecond: 3, burst: 1, clock: () => now });
    for (let index = 0; index < 20; index++) {
      assert.equal(take('a'), 0);
      const wait = take('a');
      assert.ok(wait > 0 && wait <= 334);
      now += wait;
    }
  });

  it('remember a bounded number of callers', () => {
    const take = rateLimit({ perSecond: 1, burst: 1, clock: () => 0 });
    for (let index = 0; index < 10_000; index++) assert.equal(take(`caller ${index}`), 0);
    assert.ok(take('caller 0') > 0);
    assert.equal(take('caller 10000'), 0);
    // The one that was idle longest was forgotten, the one that tried lately was not.
    assert.ok(take('caller 0') > 0);
    assert.equal(take('caller 1'), 0);
  });
});
