import assert from 'node:assert/strict';
import { LATEST_MS, Pace } from '../../mesh/source/pace.ts';

describe('when changes are looked at', () => {
  it('a lone one at once, also after many', () => {
    const pace = new Pace();
    assert.equal(pace.wait(0), 0);
    for (let at = 0; at < 50; at++) pace.looked(at, at + 1);
    assert.equal(pace.wait(50 + LATEST_MS), 0);
    pace.looked(1000, 1001);
    assert.ok(pace.wait(1001) <= 1, 'the next one soon');
    assert.equal(pace.wait(1010), 0);
  });

  it('while more keep coming they are taken together, never later than the limit', () => {
    const pace = new Pace();
    let [now, looks, latest] = [0, 0, 0];
    // A change in every millisecond for three seconds; a look takes five.
    while (now < 3000) {
      const wait = pace.wait(now);
      latest = Math.max(latest, wait);
      now += Math.max(1, wait);
      pace.looked(now, now + 5);
      now += 5;
      looks += 1;
    }
    assert.ok(latest <= LATEST_MS, `${latest} ms`);
    assert.ok(looks < 40, `${looks} looks`);
  });

  it('leaves others as much time as a look takes, up to the limit', () => {
    const pace = new Pace();
    pace.looked(0, 60);
    assert.equal(pace.wait(60), 60);
    pace.looked(500, 2500);
    assert.equal(pace.wait(2500), LATEST_MS);
  });
});
