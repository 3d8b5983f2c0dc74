import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ISSUER, jwks, type TokenKey } from '../issuance/evidence.ts';
import { startGatehouse, type Target } from '../scale/target.ts';
import type { Holds } from './holds.ts';

/** A server that tells how long its event loop was held, and takes tokens of these keys. */
export interface Measured {
  readonly target: Target;
  /** Since the last time that this was asked, in ms, the longest first. */
  holds(): Promise<readonly number[]>;
}

export async function startMeasured(
  folder: string,
  dir: string,
  keys: readonly TokenKey[],
  nodeFlags: readonly string[],
): Promise<Measured> {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'holds.json');
  const jwksFile = join(dir, 'jwks.json');
  writeFileSync(jwksFile, jwks(keys));
  // The child has this process's environment.
  process.env['GATEHOUSE_HOLDS'] = file;
  const preload = ['--import', join(import.meta.dirname, 'holds.ts')];
  const target = await startGatehouse(folder, dir, [...nodeFlags, ...preload], ['--jwks', jwksFile, '--token-issuer', ISSUER]);
  return {
    target,
    async holds() {
      rmSync(file, { force: true });
      process.kill(target.pid, 'SIGUSR2');
      while (!existsSync(file)) await sleep(5);
      const { holds }: Holds = JSON.parse(readFileSync(file, 'utf8'));
      return holds.map(({ ms }) => ms).toSorted((one, other) => other - one);
    },
  };
}
