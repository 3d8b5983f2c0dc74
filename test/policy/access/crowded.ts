import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { worlds } from '../differential/arbitrary.ts';
import { meshOf } from './generated.ts';

/** The policies of several generated worlds in one: more rules than one word of a set has bits. */
export function crowded(at: number, seed: number): Snapshot {
  const all = fc.sample(worlds, { seed: seed + at, numRuns: 1 + ((at * 7) % 36) });
  const mesh = meshOf(all[0] ?? assert.fail(), at, seed);
  // Of many policies that deny, one nearly always does.
  const others = all
    .slice(1)
    .flatMap((world) => meshOf(world, at, seed).authorizationPolicies)
    .filter(({ action }) => action === 'ALLOW' || at % 3 === 0);
  return {
    ...mesh,
    authorizationPolicies: [...mesh.authorizationPolicies, ...others].map((policy, index): AuthorizationPolicy => ({
      ...policy,
      meta: { ...policy.meta, name: `p${index}` },
    })),
  };
}
