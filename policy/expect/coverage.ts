import type { PolicyAction } from '../../mesh/model/authorization-policy.ts';
import type { Origin } from '../../mesh/model/diagnostic.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { policiesFor } from '../select.ts';
import type { Result } from './run.ts';

export interface PolicyCoverage {
  /** `namespace/name`. */
  readonly policy: string;
  readonly action: PolicyAction;
  readonly origin: Origin;
  /** Tests whose destination it applies to. */
  readonly considered: number;
  /** Tests that each of its rules decided. */
  readonly rules: readonly number[];
}

/** What of the policies in force some test depends on. AUDIT and dry runs decide nothing, and are left out. */
export function coverageOf(snapshot: Snapshot, results: readonly Result[]): readonly PolicyCoverage[] {
  const inForce = snapshot.authorizationPolicies.filter(({ dryRun, action }) => !dryRun && action !== 'AUDIT');
  const considered = new Map<string, number>();
  const decided = new Map<string, number>();
  const applying = new Map<string, readonly string[]>();
  const add = (counts: Map<string, number>, key: string): void => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  for (const { case: one, verdict } of results) {
    const { namespace, labels } = one.request.destination;
    const place = JSON.stringify([namespace, labels]);
    const known = applying.get(place) ?? policiesFor(snapshot, { namespace, labels }).map(({ meta }) => keyOf(meta));
    applying.set(place, known);
    for (const name of known) add(considered, name);
    if (verdict.policy !== undefined && verdict.rule !== undefined) add(decided, `${verdict.policy} ${verdict.rule}`);
  }
  return inForce.map(({ meta, action, rules }) => {
    const policy = keyOf(meta);
    return {
      policy,
      action,
      origin: meta.origin,
      considered: considered.get(policy) ?? 0,
      rules: rules.map((_, rule) => decided.get(`${policy} ${rule}`) ?? 0),
    };
  });
}
