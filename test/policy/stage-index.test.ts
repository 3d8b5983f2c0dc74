import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { keyOf } from '../../mesh/model/object.ts';
import { walkerFor } from '../../policy/evaluate/evaluate.ts';
import type { Facts } from '../../policy/evaluate/facts.ts';
import type { Candidate, Stage } from '../../policy/evaluate/prepared.ts';
import { StageIndex } from '../../policy/evaluate/stage-index.ts';
import { crowded } from './access/crowded.ts';
import { DESTINATION } from './access/destination.ts';
import { asked, requestOf } from './access/generated.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261122);
const MESHES = Number(process.env['GATEHOUSE_WORLDS'] ?? 40);
const REQUESTS = 60;

/** Every rule asked with all that people want to know of it. */
function nearestOfAll({ policies }: Stage, facts: Facts): Candidate | undefined {
  let nearest: { readonly candidate: Candidate; readonly nearness: number } | undefined;
  for (const { policy, rules } of policies)
    for (const rule of rules) {
      const { matches, nearness } = rule.find(facts);
      if (!matches && (nearest === undefined || nearness > nearest.nearness)) nearest = { candidate: { policy, rule }, nearness };
    }
  return nearest?.candidate;
}

const named = (found: Candidate | undefined): string | undefined =>
  found && `${keyOf(found.policy.meta)} rule ${found.rule.index}`;

describe('policy: many rules of one kind, asked together', () => {
  it('match, and come near, as they do when each is asked', function () {
    this.timeout(120_000);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep "asked together"\n`);
    let [matched, missed, most] = [0, 0, 0];
    for (let at = 0; at < MESHES; at++) {
      const mesh = crowded(at, SEED);
      const { stages, factsFor } = walkerFor(mesh, DESTINATION);
      const all = [...Object.values(stages.enforced), ...Object.values(stages.dryRun)].map((stage) => ({
        stage,
        index: new StageIndex(stage),
      }));
      for (const request of fc.sample(asked, { seed: SEED + at, numRuns: REQUESTS }).map(requestOf)) {
        const facts = factsFor(request);
        for (const { stage, index } of all) {
          most = Math.max(most, stage.candidates.length);
          const told = (): string => JSON.stringify({ mesh: at, request, policies: stage.policies.map(({ policy }) => policy) });
          const first = stage.candidates.find(({ rule }) => rule.matches(facts));
          assert.equal(named(index.firstMatch(facts)), named(first), told());
          const nearest = nearestOfAll(stage, facts);
          assert.equal(named(index.nearest(facts)), named(nearest), told());
          matched += first === undefined ? 0 : 1;
          missed += nearest === undefined ? 0 : 1;
        }
      }
    }
    process.stdout.write(`    ${matched} matched, ${missed} missed, up to ${most} rules\n`);
    assert.ok(matched > 10 * MESHES && missed > 10 * MESHES && most > 40);
  });
});
