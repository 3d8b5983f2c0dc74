// npm run fuzz -- --runs 100000 [--seed N] [--target NAME] [--only INDEX]: exit 1 and a line to see it again when there is a finding.
import { parseArgs } from 'node:util';
import { fuzz, FuzzFinding } from './fuzz.ts';
import { TARGETS } from './targets.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    target: { type: 'string' },
    only: { type: 'string' },
  },
});
const [runs, seed] = [Number(values.runs), Number(values.seed)];
const only = values.only === undefined ? undefined : Number(values.only);
const chosen = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
if (![runs, seed, only ?? 0].every((value) => Number.isSafeInteger(value) && value >= 0) || chosen.length === 0) {
  process.stderr.write(`wrong usage; targets are ${TARGETS.map(({ name }) => name).join(', ')}; numbers are whole ones\n`);
  process.exit(2);
}
for (const { name, open } of chosen) {
  const target = await open();
  const started = performance.now();
  try {
    const { refused, accepted, grownMb } = await fuzz(target, { seed, runs, only });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(
      `${name}: ${refused} refused, ${accepted} accepted, no finding; heap ${grownMb.toFixed(1)} MB more in the second half; ${seconds} s, seed ${seed}\n`,
    );
  } catch (error) {
    if (!(error instanceof FuzzFinding)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  } finally {
    await target.close();
  }
}
