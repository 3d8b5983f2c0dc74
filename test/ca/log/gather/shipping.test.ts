import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Shipping } from '../../../../ca/log/gather/shipping.ts';

describe('records of the issuance log on the way to other replicas', () => {
  const silent = pino({ enabled: false });
  const settled = async (promise: Promise<void>): Promise<boolean> => {
    let done = false;
    void promise.then(() => (done = true));
    await new Promise(setImmediate);
    return done;
  };

  it('go out once one of the followers has them, whichever', async () => {
    const shipping = new Shipping(silent);
    const [one, other] = [{}, {}];
    shipping.joined(one, 0);
    shipping.joined(other, 0);
    const first = shipping.covered(100);
    assert.equal(await settled(first), false);
    shipping.has(other, 99);
    assert.equal(await settled(first), false);
    shipping.has(one, 100);
    assert.equal(await settled(first), true);
    assert.equal(await settled(shipping.covered(100)), true);
    assert.equal(shipping.alone, 0);
  });

  it('go out alone where nobody is expected', async () => {
    const shipping = new Shipping(silent);
    assert.equal(await settled(shipping.covered(10)), true);
    assert.equal(shipping.alone, 1);
  });

  it('wait for one that should come, and for one that left a moment ago', async () => {
    let now = 0;
    const shipping = new Shipping(silent, () => now);
    shipping.expectedBy(() => true);
    const waits = shipping.covered(10);
    assert.equal(await settled(waits), false);
    const follower = {};
    shipping.joined(follower, 10);
    assert.equal(await settled(waits), true);
    shipping.expectedBy(() => false);
    shipping.left(follower);
    assert.equal(await settled(shipping.covered(20)), false);
    now += 60_000;
    assert.equal(await settled(shipping.covered(30)), true);
    shipping.joined({}, 30);
  });

  it('wait at most seconds for a slow one, then not for it until it has caught up', async function () {
    this.timeout(20_000);
    const shipping = new Shipping(silent);
    const slow = {};
    shipping.joined(slow, 0);
    await shipping.covered(50);
    assert.equal(shipping.alone, 1);
    assert.equal(await settled(shipping.covered(60)), true);
    shipping.has(slow, 50);
    assert.equal(await settled(shipping.covered(70)), true);
    shipping.has(slow, 70);
    const again = shipping.covered(80);
    assert.equal(await settled(again), false, 'it has caught up, so it is waited for');
    shipping.has(slow, 80);
    assert.equal(await settled(again), true);
  });

  it('says whether somebody has it; where nobody should, nothing is missing', () => {
    const shipping = new Shipping(pino({ enabled: false }));
    assert.equal(shipping.isCovered(10), true);
    shipping.expectedBy(() => true);
    assert.equal(shipping.isCovered(10), false);
    const follower = {};
    shipping.joined(follower, 9);
    assert.equal(shipping.isCovered(10), false);
    shipping.has(follower, 10);
    assert.equal(shipping.isCovered(10), true);
  });
});
