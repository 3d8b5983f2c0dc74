// Compares evaluate with a real Envoy over as many generated requests as one likes: npm run differential -- --help
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { envoyPath } from '../../audit/envoy/process.ts';
import { people } from './callers.ts';
import { ownNet } from './net.ts';
import { type Counts, type Difference, round } from './round.ts';

const HELP = `Decides generated requests by policy/evaluate and by a real Envoy, and compares decision, rule and dry runs.

  npm run differential -- [--decisions N] [--seed N] [--worlds N] [--requests N] [--show N]

  --decisions  how many to compare at least (1,000,000)
  --seed       the first round's; each further round's is one more, so that a run can go on where another ended (1)
  --worlds     sets of policies in one round, at most 250 (200)
  --requests   of each caller to each world (24)
  --show       differences to print in full (5)

Needs GATEHOUSE_ENVOY, the path of an Envoy. Exit status: 0 no difference, 1 differences, 2 wrong usage.

Examples:
  npm run differential -- --decisions 1000000 --seed 7
  npm run differential -- --decisions 1 --seed 31     # that round alone`;

function usage(message: string): never {
  process.stderr.write(`differential: ${message}\n\n${HELP}\n`);
  process.exit(2);
}

function number(text: string, name: string, most: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > most) usage(`--${name} must be a number from 1 to ${most}`);
  return value;
}

function options() {
  const string = (value: string) => ({ type: 'string', default: value }) as const;
  try {
    return parseArgs({
      options: {
        decisions: string('1000000'),
        seed: string('1'),
        worlds: string('200'),
        requests: string('24'),
        show: string('5'),
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

function report(difference: Difference, seed: number): void {
  process.stdout.write(`${JSON.stringify({ seed, ...difference })}\n`);
}

async function main(): Promise<number> {
  const given = options();
  if (given.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const wanted = number(given.decisions, 'decisions', 1e9);
  const first = number(given.seed, 'seed', 2 ** 31 - 1);
  const worlds = number(given.worlds, 'worlds', 250);
  const requests = number(given.requests, 'requests', 10_000);
  const show = number(given.show, 'show', 1e6);
  const envoy = envoyPath();
  if (envoy === undefined) usage('GATEHOUSE_ENVOY names no Envoy');
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-differential-'));
  const total: Counts = { decisions: 0, allowed: 0, denied: 0, before: 0, notes: 0 };
  let differ = 0;
  const began = performance.now();
  try {
    const known = await people(folder);
    for (let seed = first; total.decisions < wanted; seed++) {
      const { counts, differences } = await round({ envoy, folder, people: known, net: ownNet(), seed, worlds, requests });
      for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += counts[key];
      for (const difference of differences.slice(0, Math.max(0, show - differ))) report(difference, seed);
      if (differences.length > 0) {
        process.stdout.write(
          `seed ${seed}: ${differences.length} differ; again: npm run differential -- --decisions 1 --seed ${seed} --worlds ${worlds} --requests ${requests}\n`,
        );
      }
      differ += differences.length;
      const seconds = Math.round((performance.now() - began) / 1000);
      process.stdout.write(
        `${total.decisions} decisions in ${seconds} s: ${total.allowed} allowed, ${total.denied} denied, ${total.before} before policy, ${total.notes} with notes; ${differ} differ; next seed ${seed + 1}\n`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return differ === 0 ? 0 : 1;
}

process.exitCode = await main();
