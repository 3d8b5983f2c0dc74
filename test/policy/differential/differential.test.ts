import assert from 'node:assert/strict';
import { roundsInEnvoy } from './in-envoy.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const WORLDS = 150;
const REQUESTS = 14;

describe('policy, differential: evaluate and Envoy', () => {
  const decided = roundsInEnvoy(SEED, 'differential');

  it('decide the same requests and connections by the same rules', async function () {
    this.timeout(240_000);
    const { counts, differences } = await decided({
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
