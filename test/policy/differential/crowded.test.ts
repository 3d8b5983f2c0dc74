// Many rules that grant are compiled to a tree of maps: it lets through what the rules let through, in the name of the same rule.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import * as fc from 'fast-check';
import { RBACSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { httpRbac } from '../../../policy/compile/authorization.ts';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { people } from './callers.ts';
import { crowdedWorlds } from './crowded.ts';
import { ownNet } from './net.ts';
import { round } from './round.ts';
import { placeOf } from './world.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const WORLDS = 60;
const REQUESTS = 16;

describe('policy, differential: many rules that grant', () => {
  let folder: string | undefined;

  before(function () {
    envoyOrSkip(this);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep differential\n`);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-crowded-'));
  });

  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('decide by the same rules, as a tree', async function () {
    this.timeout(180_000);
    assert.ok(folder !== undefined);
    const drawn = fc.sample(crowdedWorlds, { seed: SEED, numRuns: WORLDS });
    const trees = drawn.filter((world) => {
      const { snapshot, workload } = placeOf(world, '127.0.0.1');
      const { allow } = httpRbac(snapshot, workload);
      return allow !== undefined && anyUnpack(allow, RBACSchema)?.matcher !== undefined;
    });
    const { counts, differences } = await round({
      envoy: envoyPath() ?? '',
      folder,
      people: await people(folder),
      net: ownNet(),
      seed: SEED,
      worlds: WORLDS,
      requests: REQUESTS,
      draw: crowdedWorlds,
    });
    const { decisions, allowed, denied } = counts;
    process.stdout.write(
      `    ${trees.length} trees of ${WORLDS}; ${decisions} decisions: ${allowed} allowed, ${denied} denied; ${differences.length} differ\n`,
    );
    assert.deepEqual(differences.slice(0, 2), [], `${differences.length} differences; seed ${SEED}`);
    assert.ok(trees.length > WORLDS / 2, 'trees must be tried');
    assert.ok(allowed > 1000 && denied > 1000, 'all kinds of answers must be tried');
  });
});
