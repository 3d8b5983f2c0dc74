import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { randomOf } from './random.ts';
import type { Target } from './target.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** Only this case, to see a finding again. */
  readonly only?: number | undefined;
}

interface FuzzCase {
  readonly seed: number;
  readonly index: number;
  readonly input: Buffer;
}

export interface FuzzResult {
  readonly refused: number;
  readonly accepted: number;
  /** Growth of the heap over the second half of the runs, in MB. */
  readonly grownMb: number;
}

/** A finding, with its input and the line that makes the like again: keys are new in each process, so signatures differ. */
export class FuzzFinding extends Error {
  override readonly name = 'FuzzFinding';
  constructor(target: string, { seed, index, input }: FuzzCase, cause: unknown) {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    const again = `npm run fuzz -- --target ${target} --seed ${seed} --only ${index}`;
    super(`${target}: ${what}\ninput (base64): ${input.toString('base64')}\nsee it again with: ${again}`, { cause });
  }
}

const SLOWEST_MS = 5_000;

/** Runs a target many times. Throws FuzzFinding at the first input that it does not take well, or takes too long for. */
export async function fuzz(target: Target, { seed, runs, only }: FuzzOptions): Promise<FuzzResult> {
  const counts = { refused: 0, accepted: 0 };
  const [first, end] = only === undefined ? [0, runs] : [only, only + 1];
  let middle = 0;
  for (let index = first; index < end; index++) {
    if (index === Math.floor(runs / 2)) middle = heapMb();
    const started = performance.now();
    let input = Buffer.alloc(0);
    try {
      counts[await target.run(randomOf(seed, index), (told) => (input = Buffer.from(told)))]++;
    } catch (error) {
      throw new FuzzFinding(target.name, { seed, index, input }, error);
    }
    const took = performance.now() - started;
    if (took > SLOWEST_MS) throw new FuzzFinding(target.name, { seed, index, input }, new Error(`took ${Math.round(took)} ms`));
  }
  return { ...counts, grownMb: middle === 0 ? 0 : heapMb() - middle };
}

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** After a collection, or what is garbage would count as growth. */
function heapMb(): number {
  if (typeof collect === 'function') Reflect.apply(collect, undefined, []);
  return process.memoryUsage().heapUsed / 1e6;
}
