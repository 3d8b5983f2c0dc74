import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../../cli/main.ts');

/** Runs a gatehouse command from source to its end. */
export function gatehouse(...args: readonly string[]): {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
} {
  const done = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], { env: process.env });
  return { status: done.status, stdout: done.stdout, stderr: done.stderr.toString() };
}
