import { spawnSync } from 'node:child_process';
import type { Context } from 'mocha';

/** The go command, on the PATH or where its installer puts it. */
export function findGo(): string | undefined {
  return ['go', '/usr/local/go/bin/go'].find((path) => spawnSync(path, ['version']).status === 0);
}

/**
 * Builds a Go program that belongs to a test. Without Go the test is skipped by name; a build that fails skips it too, and
 * fails it with CI set.
 * @param cwd the folder with go.mod
 */
export function goProgram(test: Context, cwd: string, binary: string): string {
  const go = findGo();
  if (go === undefined) return test.skip();
  const built = spawnSync(go, ['build', '-o', binary, '.'], { cwd, encoding: 'utf8' });
  if (built.status === 0) return binary;
  if (process.env['CI'] !== undefined) throw new Error(`${cwd} cannot be built:\n${built.stderr}`);
  return test.skip();
}
