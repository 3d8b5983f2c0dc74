import { Option } from 'commander';
import { AuthorityError } from '../../ca/root/error.ts';

/** What the subcommands of `gatehouse ca` have in common: they work on an authority's folder. */
export function caDir(): Option {
  return new Option('--ca-dir <dir>', "the authority's folder").makeOptionMandatory();
}

export function fail(code: 1 | 2, message: string): void {
  process.stderr.write(`gatehouse ca: ${message}\n`);
  process.exitCode = code;
}

/** Runs a command; a folder in a wrong state is a finding (exit 1), not a crash. */
export async function reported(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    const system = error instanceof Error && 'code' in error && typeof error.code === 'string';
    if (!(error instanceof AuthorityError) && !system) throw error;
    fail(1, error.message);
  }
}

export function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
