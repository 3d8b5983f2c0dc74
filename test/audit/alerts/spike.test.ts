import assert from 'node:assert/strict';
import { SpikeDetector } from '../../../audit/alerts/spike.ts';

const RULE = { windowMs: 60_000, factor: 3, least: 10, againMs: 3_600_000 } as const;
const MINUTE = 60_000;

/** Denials of one workload, minute by minute, the first half a minute after the start; what was found, by minute. */
function watch(
  minutes: readonly number[],
  rule: typeof RULE | (Omit<typeof RULE, 'factor'> & { readonly factor: number }) = RULE,
) {
  const detector = new SpikeDetector(rule, MINUTE / 2);
  return minutes.flatMap((count, minute) =>
    Array.from({ length: count }, (_, index) => {
      const spike = detector.denied('shop/app', index % 4 === 0 ? 'shop/web' : 'shop/cart', minute * MINUTE + MINUTE / 2 + index);
      return spike === undefined ? [] : [{ minute, denied: spike.denied, usual: spike.usual, callers: spike.callers }];
    }).flat(),
  );
}

describe('a spike of denials', () => {
  it('is told once, as soon as it is one, with who was denied', () => {
    const [found, ...others] = watch([0, 0, 0, 0, 50]);
    assert.deepEqual(others, []);
    assert.deepEqual(found, {
      minute: 4,
      denied: 10,
      usual: 0,
      callers: [
        { source: 'shop/cart', denied: 7 },
        { source: 'shop/web', denied: 3 },
      ],
    });
  });
  it('is none of as many as usual, however many', () => assert.deepEqual(watch([40, 40, 40, 40, 40, 80, 100]), []));
  it('is more than so many times what is usual', () => {
    // Two, two and eleven in the last three whole windows are five on average.
    assert.deepEqual(watch([0, 2, 2, 11, 15]), []);
    const [found] = watch([0, 2, 2, 11, 16]);
    assert.deepEqual([found?.minute, found?.denied, found?.usual], [4, 16, 5]);
  });
  it('is nothing before there is a past', () => {
    assert.deepEqual(watch([0, 0, 0, 50]), []);
    assert.deepEqual(watch([500, 0, 0, 0]), []);
  });
  it('is none with few denials', () => assert.deepEqual(watch([0, 0, 0, 0, 9, 9, 9]), []));
  it('forgets what was long ago: quiet minutes count as well', () => {
    const found = watch([0, 100, ...Array.from({ length: 12 }, () => 0), 20]);
    assert.deepEqual(
      found.map(({ minute, usual }) => [minute, usual]),
      [[14, 0]],
    );
  });
  it('is told again after a while', () => {
    const rule = { ...RULE, againMs: 5 * MINUTE };
    const detector = new SpikeDetector(rule, 0);
    const told: number[] = [];
    for (let minute = 4; minute < 20; minute += 3)
      for (let index = 0; index < 200; index++)
        if (detector.denied('shop/app', 'x', minute * MINUTE + index) !== undefined) told.push(minute);
    assert.deepEqual(told, [4, 10]);
  });
  it('keeps apart workloads, and watches no more than it may', () => {
    const detector = new SpikeDetector(RULE, 0, 1);
    const deny = (workload: string) =>
      Array.from({ length: 30 }, () => detector.denied(workload, 'x', 10 * MINUTE)).filter((spike) => spike !== undefined).length;
    assert.deepEqual([deny('shop/app'), deny('shop/web')], [1, 0]);
  });
});
