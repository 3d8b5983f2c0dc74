import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { type People, people } from './callers.ts';
import { ownNet } from './net.ts';
import { round } from './round.ts';

type Asked = Omit<Parameters<typeof round>[0], 'envoy' | 'folder' | 'people' | 'net' | 'seed'>;

/**
 * Sets a describe up for rounds of one seed through the real Envoy, and says how they are run again.
 * @param grep what finds its tests by title
 */
export function roundsInEnvoy(seed: number, grep: string): (asked: Asked) => ReturnType<typeof round> {
  let folder: string | undefined;
  let known: People | undefined;

  before(async function () {
    this.timeout(60_000);
    envoyOrSkip(this);
    process.stdout.write(`    seed ${seed}; again: GATEHOUSE_SEED=${seed} npm test -- --grep "${grep}"\n`);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-differential-'));
    known = await people(folder);
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  return (asked) => {
    assert.ok(folder !== undefined && known !== undefined);
    return round({ ...asked, envoy: envoyPath() ?? '', folder, people: known, net: ownNet(), seed });
  };
}
