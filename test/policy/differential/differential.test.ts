import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { type People, people } from './callers.ts';
import { ownNet } from './net.ts';
import { round } from './round.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const WORLDS = 150;
const REQUESTS = 14;

describe('policy, differential: evaluate and Envoy', () => {
  let folder: string | undefined;
  let known: People | undefined;

  before(async function () {
    this.timeout(60_000);
    envoyOrSkip(this);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep differential\n`);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-differential-'));
    known = await people(folder);
  });

  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('decide the same requests and connections by the same rules', async function () {
    this.timeout(240_000);
    assert.ok(folder !== undefined && known !== undefined);
    const { counts, differences } = await round({
      envoy: envoyPath() ?? '',
      folder,
      people: known,
      net: ownNet(),
      seed: SEED,
      worlds: WORLDS,
      requests: REQUESTS,
    });
    const { decisions, allowed, denied, before, notes } = counts;
    process.stdout.write(
      `    ${decisions} decisions: ${allowed} allowed, ${denied} denied, ${before} ended before policy; ${notes} with notes; ${differences.length} differ\n`,
    );
    assert.deepEqual(differences.slice(0, 3), [], `${differences.length} differences; seed ${SEED}`);
    assert.ok(decisions >= 20_000, 'all must be asked');
    assert.ok(allowed > WORLDS * 10 && denied > WORLDS * 10 && notes > 0, 'all kinds of answers must be tried');
  });
});
