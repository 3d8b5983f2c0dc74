import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describedText } from '../../../policy/access/describe.ts';
import { DESTINATION } from './destination.ts';
import { mayCallWorkload } from '../../../policy/access/may-call.ts';
import { accessTable } from '../../../policy/access/table.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { LABELS, asked, meshOf, requestOf } from './generated.ts';
import { told } from './told.ts';
import { IDENTITIES, worlds } from '../differential/arbitrary.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const WORLDS = Number(process.env['GATEHOUSE_WORLDS'] ?? 150);

/** Not of the form that the search for kinds of callers knows, so it must be named. */
const ODD = 'cluster.local/k/v/ns/shop/k2/v2/sa/web/k3';

describe('policy, access: what is told and what is decided', () => {
  it('is the same for generated policies and requests', function () {
    this.timeout(120_000);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep "what is told"\n`);
    const counts = { allowed: 0, denied: 0, untold: 0, rows: 0, never: 0 };
    for (const [index, world] of fc.sample(worlds, { seed: SEED, numRuns: WORLDS }).entries()) {
      const mesh = meshOf(world, index, SEED);
      const table = accessTable({ snapshot: mesh, destination: DESTINATION }, [ODD]);
      assert.ok(table.world.complete);
      for (const { grants } of table.tables) {
        for (const { confirmed, witness, conditions } of grants) {
          counts.rows += 1;
          assert.ok(
            confirmed,
            JSON.stringify({
              world: index,
              witness,
              conditions: conditions.map(({ key, description }) => [key, describedText(description)]),
              verdict: evaluate(mesh, witness),
              policies: world.policies,
            }),
          );
        }
      }
      for (const one of fc.sample(asked, { seed: SEED + index, numRuns: 200 }).map(requestOf)) {
        const { decision, reason } = evaluate(mesh, one);
        const id = one.source.principal?.slice('spiffe://'.length);
        if (decision === 'ALLOW' && id !== undefined)
          assert.ok(mayCallWorkload(mesh, id, { namespace: 'shop', labels: LABELS }), `${id}: ${JSON.stringify(world.policies)}`);
        if (id !== undefined && !mayCallWorkload(mesh, id, { namespace: 'shop', labels: LABELS })) counts.never += 1;
        const found = told(mesh, table, one);
        if (found === 'untold') counts.untold += 1;
        else {
          counts[found ? 'allowed' : 'denied'] += 1;
          assert.equal(
            found ? 'ALLOW' : 'DENY',
            decision,
            JSON.stringify({
              world: index,
              one,
              reason,
              headers: [...one.http.headers],
              policies: world.policies,
              meshConfig: mesh.meshConfig,
            }),
          );
        }
      }
    }
    process.stdout.write(
      `    ${counts.rows} rows; ${counts.allowed} requests allowed, ${counts.denied} denied, ${counts.untold} in what cannot be told\n`,
    );
    assert.ok(counts.allowed > WORLDS && counts.denied > WORLDS, 'both answers must be tried');
    assert.ok(counts.untold < WORLDS, 'hardly anything may be too much to tell');
    assert.ok(counts.never > WORLDS, `${counts.never} requests of callers of whom it is known that none is allowed`);
    assert.ok(IDENTITIES.length > 0);
  });
});
