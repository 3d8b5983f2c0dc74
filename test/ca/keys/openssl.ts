import { spawnSync } from 'node:child_process';
import type { Context } from 'mocha';

/** The openssl command; skips the test where there is none. In CI it must be there (setup/system-packages.sh). */
export function openssl(test: Context): string {
  if (spawnSync('openssl', ['version']).status === 0) return 'openssl';
  if (process.env['CI']) throw new Error('openssl is needed: run setup/system-packages.sh as root');
  return test.skip();
}
