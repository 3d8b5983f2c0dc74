// A disk that is taken away: after so many writes every further one fails, as if the process had been killed there.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

export class Killed extends Error {}

const WRITES = ['open', 'rename', 'rm', 'mkdir'] as const;

/**
 * Runs `task` with a disk on which only the first `writes` operations that change it succeed. Tells whether it came to an end
 * before that.
 */
export async function withWrites(writes: number, task: () => Promise<unknown>): Promise<'done' | 'killed'> {
  const original = { open: fs.open, rename: fs.rename, rm: fs.rm, mkdir: fs.mkdir };
  let left = writes;
  const count = (): void => {
    if (left === 0) throw new Killed('the process was killed');
    left -= 1;
  };
  const counted = <Args extends readonly unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
    async function (...args: Args): Promise<Result> {
      count();
      return run(...args);
    };
  for (const name of WRITES) Object.assign(fs, { [name]: counted<readonly never[], unknown>(original[name]) });
  syncBuiltinESMExports();
  try {
    await task();
    return 'done';
  } catch (error) {
    if (left === 0) return 'killed';
    throw error;
  } finally {
    Object.assign(fs, original);
    syncBuiltinESMExports();
  }
}
