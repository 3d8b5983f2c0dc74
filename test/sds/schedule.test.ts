import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { LONGEST_HINT_MS, retryDelay } from '../../sds/identity/backoff.ts';
import { nextStep, planRenewal, RECHECK_MS, RENEW_EARLIEST, RENEW_LATEST } from '../../sds/identity/schedule.ts';
import { restartDelay } from '../../sds/envoy/restart.ts';

const SEED = 20261121;
const NOW = Date.UTC(2026, 10, 21);
const life = fc.integer({ min: 1000, max: 400 * 86_400_000 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const check = <T>(property: fc.IProperty<T>) => fc.assert(property, { seed: SEED, numRuns: 500 });

describe(`sds: when to renew (seed ${SEED})`, () => {
  it('is between half and 0.7 of the life that is left on arrival', () => {
    check(
      fc.property(fc.tuple(life, random), ([left, draw]) => {
        const plan = planRenewal(NOW + left, NOW, 5, () => draw);
        assert.ok(plan.renewAt >= NOW + left * RENEW_EARLIEST - 1 && plan.renewAt < NOW + left * RENEW_LATEST + 1);
        assert.ok(Math.abs(plan.renewAt - NOW - (plan.renewAtMonotonic - 5)) < 1);
      }),
    );
  });

  it('leaves 4-second certificates at least 1.2 s for further tries', () => {
    for (const draw of [0, 0.5, 0.999_999]) {
      const { renewAt } = planRenewal(NOW + 4000, NOW, 0, () => draw);
      assert.ok(renewAt - NOW >= 2000 && renewAt - NOW <= 2800);
    }
  });

  it('is reached by sleeping as told, never in more than a minute at a time', () => {
    check(
      fc.property(fc.tuple(life, random), ([left, draw]) => {
        const plan = planRenewal(NOW + left, NOW, 0, () => draw);
        const step = nextStep(plan, NOW, 0);
        assert.ok(step.kind === 'wait' && step.ms > 0 && step.ms <= RECHECK_MS);
        const last = nextStep(plan, plan.renewAt - 10, plan.renewAtMonotonic - 10);
        assert.ok(last.kind === 'wait' && last.ms <= 11);
        assert.equal(nextStep(plan, plan.renewAt, plan.renewAtMonotonic).kind, 'renew');
      }),
    );
  });

  it('is not put off by a wall clock that goes back, and is at once when that goes forward', () => {
    const plan = planRenewal(NOW + 3_600_000, NOW, 0, () => 0);
    assert.equal(nextStep(plan, NOW - 86_400_000, 1_800_000).kind, 'renew');
    assert.equal(nextStep(plan, NOW + 86_400_000, 1).kind, 'renew');
  });

  it('is at once for a certificate that has already ended', () => {
    const plan = planRenewal(NOW - 1, NOW, 0, () => 0.5);
    assert.equal(nextStep(plan, NOW, 0).kind, 'renew');
  });
});

describe(`sds: when to try again (seed ${SEED})`, () => {
  it('doubles from 0.2 s to 15 s, or 5 s without a certificate, with half of it random', () => {
    check(
      fc.property(fc.tuple(fc.integer({ min: 1, max: 10_000 }), random), ([count, draw]) => {
        for (const [lifeLeft, ceiling] of [
          [86_400_000, 15_000],
          [0, 5000],
          [-60_000, 5000],
        ] as const) {
          const step = Math.min(ceiling, 200 * 2 ** Math.min(count - 1, 20));
          const delay = retryDelay({ count, lifeLeft }, () => draw);
          assert.ok(delay >= step / 2 && delay <= step);
        }
      }),
    );
  });

  it('does not press harder than eight times a second, however short the life', () => {
    check(
      fc.property(
        fc.tuple(fc.integer({ min: 3, max: 100 }), fc.integer({ min: 1, max: 86_400_000 }), random),
        ([count, lifeLeft, draw]) => {
          assert.ok(retryDelay({ count, lifeLeft }, () => draw) >= 125);
        },
      ),
    );
  });

  it('never waits longer than an eighth of the life that is left, or a quarter of a second', () => {
    check(
      fc.property(
        fc.tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 400, max: 86_400_000 }), random),
        ([count, lifeLeft, draw]) => {
          assert.ok(retryDelay({ count, lifeLeft }, () => draw) <= Math.max(250, lifeLeft / 8));
        },
      ),
    );
  });

  it("takes a server's hint as the least wait, and not more than five minutes and a fifth", () => {
    check(
      fc.property(
        fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 2 ** 40 }), random),
        ([count, hint, draw]) => {
          const delay = retryDelay({ count, lifeLeft: 4000, hint }, () => draw);
          assert.ok(delay >= Math.min(hint, LONGEST_HINT_MS));
          assert.ok(delay <= LONGEST_HINT_MS * 1.2);
        },
      ),
    );
  });

  it('looks for a missing file every second', () => {
    assert.ok(retryDelay({ count: 50, lifeLeft: 0, local: true }, () => 0.999) <= 1000);
  });

  it('starts Envoy again after 0.1 to 15 s', () => {
    check(
      fc.property(fc.tuple(fc.integer({ min: 1, max: 10_000 }), random), ([exits, draw]) => {
        const delay = restartDelay(exits, () => draw);
        assert.ok(delay >= 100 && delay <= 15_000);
      }),
    );
  });
});
