import { strict as assert } from 'node:assert';
import { fuzz, FuzzFinding } from './fuzz.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { TARGETS } from './targets.ts';

const [SEED, RUNS] = [20261121, 5000];
const MOST_GROWTH_MB = 64;

describe(`bad input (seed ${SEED}, ${RUNS} mutated inputs each)`, () => {
  for (const { name, open } of TARGETS)
    it(`${name}: never a crash, never an acceptance that should not be, bounded memory`, async () => {
      const target = await open();
      try {
        const { refused, accepted, grownMb } = await fuzz(target, { seed: SEED, runs: RUNS });
        // Else the mutations do not reach what they are for.
        assert.ok(refused > RUNS / 10, `only ${refused} were refused`);
        assert.ok(accepted > 0, 'none was accepted');
        assert.ok(grownMb < MOST_GROWTH_MB, `the heap grew by ${grownMb} MB`);
      } finally {
        await target.close();
      }
    }).timeout(60_000);

  it('says how a finding is seen again, and makes the same input then', async () => {
    const seen: string[] = [];
    const target = {
      name: 'broken',
      run: (random: Random) => {
        const input = mutate([Buffer.from('abc')], random).toString('hex');
        seen.push(input);
        return seen.length === 7 ? Promise.reject(new Error('boom')) : Promise.resolve('refused' as const);
      },
      close: () => Promise.resolve(),
    };
    await assert.rejects(
      fuzz(target, { seed: 1, runs: 100 }),
      (error) => error instanceof FuzzFinding && error.message.includes('--target broken --seed 1 --only 6'),
    );
    await fuzz(target, { seed: 1, runs: 100, only: 6 });
    assert.equal(seen[7], seen[6]);
  });
});
